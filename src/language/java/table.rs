//! The options of Java, and the leftovers of a JDK (`profiles/tables/java.toml` documents each list).

use serde::Deserialize;

use crate::world::tables::{Words, table};

/// The table of Java.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) libraries: Words,
    pub(super) options: Options,
    pub(super) leftovers: Leftovers,
}

/// Options and variables that name jars.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Options {
    pub(super) jar: Words,
    pub(super) class_path: Words,
    pub(super) valued: Words,
    pub(super) variables: Words,
    pub(super) agent: String,
}

/// Parts of a JDK that no program needs at run time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Leftovers {
    pub(super) paths: Words,
    pub(super) tools: Words,
    pub(super) kept: Words,
    pub(super) endings: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "java"
}
