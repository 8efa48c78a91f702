//! Imported functions.

use serde::Deserialize;

use super::table;

/// Imported functions that reveal the behaviour of a program.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Imports {
    /// Functions that start programs.
    pub(crate) starts_programs: Vec<String>,
    /// Functions that open libraries by name.
    pub(crate) opens_libraries: Vec<String>,
}

table! {
    /// The imported functions used by rules.
    pub(crate) fn imports() -> Imports = "imports"
}
