//! Functions with which Ruby sources start programs and open libraries, and directories of gems
//! (`profiles/tables/ruby.toml` documents each list).

use serde::Deserialize;

use crate::language::source::parts::Part;
use crate::language::source::started::Manner;
use crate::world::tables::{Words, table};

/// The table of Ruby.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) bundlers: Words,
    pub(super) bundler_exec: Words,
    /// Parts of the standard library that few programs load.
    pub(super) parts: Vec<Part>,
    pub(super) starts: Manner,
    pub(super) libraries: Libraries,
    pub(super) gems: Gems,
}

/// Functions that open libraries.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Libraries {
    pub(super) opens: Words,
}

/// Directories of gems.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Gems {
    pub(super) variables: Words,
    pub(super) places: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "ruby"
}
