//! Keys of an application's own settings.

use serde::Deserialize;

use super::{Words, table};

/// Where settings name commands (`profiles/tables/own_settings.toml` documents each list).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OwnSettings {
    /// Ends of the names of files.
    pub(crate) endings: Vec<String>,
    /// Parts of the paths of installed packages.
    pub(crate) packages: Vec<String>,
    /// Ends of the names of files that are for builds.
    pub(crate) of_builds: Words,
    /// Words of keys.
    pub(crate) keys: Words,
    /// Words of keys whose programs are packed.
    pub(crate) starts: Words,
}

table! {
    /// The keys of settings.
    pub(crate) fn own_settings() -> OwnSettings = "own_settings"
}
