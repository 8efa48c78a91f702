//! Words of shells (`profiles/tables/shell.toml` documents each list).

use serde::Deserialize;

use crate::world::tables::{Words, table};

/// The table of shells.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) builtins: Words,
    pub(super) bash_builtins: Words,
    pub(super) without_bash_builtins: Words,
    pub(super) sources: Words,
    pub(super) queries: Words,
    pub(super) lists: Words,
    pub(super) output_directory: Words,
    pub(super) output_base: Words,
    pub(super) output_argument: Words,
    pub(super) output_machine: Words,
    pub(super) output_search: Words,
    pub(super) output_file: Words,
    pub(super) output_field: Words,
    pub(super) output_filters: Words,
    pub(super) reads: Words,
    pub(super) not_programs: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "shell"
}

/// True for a builtin of every shell.
pub(super) fn is_builtin(name: &str) -> bool {
    table().builtins.contain(name)
}

/// True for a builtin of bash that dash lacks.
pub(super) fn is_bash_builtin(name: &str) -> bool {
    table().bash_builtins.contain(name)
}
