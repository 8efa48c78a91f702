//! Commands that share one file, and the helpers of some of them.

use serde::Deserialize;

use super::{Words, table};

/// All rows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Applets {
    many: Words,
    helper: Vec<Helper>,
}

/// Helpers that only some applets start.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Helper {
    of: Words,
    names: Words,
    /// The applets that start them.
    pub(crate) applets: Words,
}

table! {
    /// The table.
    fn applets() -> Applets = "applets"
}

/// The row of a helper, if only some applets of the program start it.
pub(crate) fn helper(program: &[u8], name: &[u8]) -> Option<&'static Helper> {
    applets().helper.iter().find(|row| row.of.contain(program) && row.names.contain(name))
}

/// True if the program is many commands in one file.
pub(crate) fn has_applets(program: &[u8]) -> bool {
    applets().many.contain(program)
}
