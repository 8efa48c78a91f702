//! Names of programs in an application's own sources.

use serde::Deserialize;

use super::{Words, table};

/// Where sources name programs (`profiles/tables/own_sources.toml` documents each list).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OwnSources {
    /// Ends of the names of files.
    pub(crate) endings: Words,
    /// Parts of the paths of libraries.
    pub(crate) libraries: Vec<String>,
    /// Texts of sources that start programs.
    pub(crate) signs: Vec<String>,
    /// Names of programs that are words of sources.
    pub(crate) words: Words,
}

table! {
    /// The signs of sources that name programs.
    pub(crate) fn own_sources() -> OwnSources = "own_sources"
}
