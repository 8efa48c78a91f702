//! The host of .NET, and the files for debuggers and other platforms (`profiles/tables/dotnet.toml` documents each list).

use serde::Deserialize;

use crate::world::tables::{Words, table};

/// The table of .NET.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) profile: String,
    pub(super) profile_of_cultures: String,
    pub(super) host: Host,
    pub(super) leftovers: Leftovers,
    pub(super) platforms: Platforms,
}

/// The host.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Host {
    pub(super) exec: Words,
    pub(super) options: Words,
    pub(super) installations: Words,
    pub(super) file_variables: Words,
    pub(super) dump_variables: Words,
}

/// Files that a running program does not need.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Leftovers {
    pub(super) debuggers: Words,
    pub(super) tracers: Words,
}

/// Parts of runtime identifiers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Platforms {
    pub(super) other_systems: Words,
    pub(super) machines: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "dotnet"
}
