//! Functions with which Perl sources start programs (`profiles/tables/perl.toml` documents each list).

use serde::Deserialize;

use crate::language::source::parts::Part;
use crate::language::source::started::Manner;
use crate::world::tables::{Words, table};

/// The table of Perl.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) profile: String,
    /// Directories in which packages install modules, as patterns.
    pub(super) modules: Vec<String>,
    /// Names in them that no program loads, and ends of such names.
    pub(super) not_run: Words,
    pub(super) not_run_endings: Words,
    /// Parts of the standard library, and of these directories, that few programs load.
    pub(super) parts: Vec<Part>,
    pub(super) starts: Manner,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "perl"
}
