//! The table of calls by which R sources start programs (`profiles/tables/r.toml` documents each list).

use serde::Deserialize;

use crate::language::source::started::Manner;
use crate::world::tables::{Words, table};

/// The table of R.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) documents: Words,
    pub(super) package: Vec<Package>,
    pub(super) starts: Manner,
}

/// A package or function that starts programs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) texts: Words,
    pub(super) programs: Vec<String>,
    #[serde(default)]
    pub(super) notes: Vec<Note>,
}

/// A note on a package, which is reported if a path exists in the root.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Note {
    pub(super) path: String,
    pub(super) says: String,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "r"
}
