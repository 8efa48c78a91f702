//! Imported functions.

use serde::Deserialize;

use super::table;

/// Imported functions that reveal the behaviour of a program.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Imports {
    /// Functions that start programs.
    pub(crate) starts_programs: Vec<String>,
    /// Beginnings of functions that start programs whose names are in UTF-16.
    pub(crate) starts_by_wide_names: super::Words,
    /// Texts of programs that start others although they import none of these functions.
    pub(crate) starts_texts: Vec<String>,
    /// Whole strings of static programs whose libc starts others.
    pub(crate) starts_static_texts: super::Words,
    /// Commands of the shell with which a command line may begin.
    pub(crate) begins_lines: super::Words,
    /// Functions that open libraries by name.
    pub(crate) opens_libraries: Vec<String>,
    /// Functions of a database that load a library by its path.
    pub(crate) loads_extensions: super::Words,
}

table! {
    /// The imported functions used by rules.
    pub(crate) fn imports() -> Imports = "imports"
}
