//! How sources of Perl start programs (`profiles/tables/perl.toml` documents each list).

use serde::Deserialize;

use crate::language::source::started::Manner;
use crate::world::tables::table;

/// The table of Perl.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) profile: String,
    pub(super) starts: Manner,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "perl"
}
