//! Search paths of interpreters for modules (`profiles/tables/missing.toml` documents each list).

use serde::Deserialize;

use crate::world::tables::{Words, table};

/// The tables of all languages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    pub(crate) perl: Perl,
    pub(crate) php: Php,
    pub(crate) ruby: Ruby,
}

/// Perl's module path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Perl {
    pub(crate) library: Words,
    pub(crate) places: Words,
    pub(crate) always: String,
    pub(crate) changes_search: Words,
}

/// Sources of PHP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Php {
    pub(crate) packages: String,
    pub(crate) autoloader: String,
    pub(crate) places: Words,
    pub(crate) changes_search: Words,
}

/// Ruby's load path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ruby {
    pub(crate) built_in: Words,
    pub(crate) library: Words,
    pub(crate) always: String,
    pub(crate) changes_search: Words,
    pub(crate) servers: Words,
    pub(crate) rackup: String,
    pub(crate) homes: Words,
}

table! {
    /// The tables.
    pub(crate) fn lookup() -> Lookup = "missing"
}
