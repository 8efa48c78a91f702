//! Programs for features that are off by default.

use serde::Deserialize;

use super::{Words, table};

/// The table (`profiles/tables/optional.toml`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Table {
    optional: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    object: String,
    programs: Words,
    feature: String,
}

table! {
    fn optional() -> Table = "optional"
}

/// The feature for which an object names a program, if that feature is off by default.
pub(crate) fn optional_feature(object: &[u8], program: &[u8]) -> Option<&'static str> {
    let is_it = |row: &&Row| object.starts_with(row.object.as_bytes()) && row.programs.end(program);
    optional().optional.iter().find(is_it).map(|row| row.feature.as_str())
}
