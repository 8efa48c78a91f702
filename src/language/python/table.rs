//! The calls and leftovers of Python, and the settings of its servers (`profiles/tables/python.toml` documents each list).

use serde::Deserialize;

use crate::language::source::names::Rules;
use crate::world::tables::{Words, table};

/// The table of Python.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) libraries: Words,
    pub(super) calls: Calls,
    pub(super) modules: Modules,
    pub(super) fonts: Fonts,
    pub(super) leftovers: Leftovers,
    pub(super) servers: Servers,
}

/// Text that shows what a source does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Calls {
    pub(super) starts: Words,
    pub(super) starts_with_name: Words,
    pub(super) runs_shell: Words,
    pub(super) opens: Words,
    pub(super) finds: Words,
    pub(super) finds_signs: Words,
    pub(super) finds_program: String,
    pub(super) replaces_modules: Words,
    pub(super) tk: Words,
    pub(super) tools: Words,
    pub(super) words: Words,
    pub(super) signs: Words,
    pub(super) finders: Words,
    pub(super) same: Words,
    pub(super) joins: Words,
    pub(super) defaults: Words,
    pub(super) default_names: Words,
    pub(super) passes: Passes,
    pub(super) keeps: Words,
    pub(super) enum_values: Words,
    pub(super) records: Words,
    pub(super) options: Words,
    pub(super) suppresses: Words,
    pub(super) handled: Words,
    pub(super) gives_up: Words,
    pub(super) optional: Words,
}

impl Calls {
    /// Returns the rules that follow names through calls.
    pub(super) fn rules(&self) -> Rules {
        Rules {
            same: &table().calls.same,
            joins: &table().calls.joins,
            defaults: &table().calls.defaults,
            default_names: &table().calls.default_names,
            has_settings: false,
        }
    }
}

/// Functions that call a function that they are given.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Passes {
    pub(super) first: Words,
    pub(super) second: Words,
    pub(super) tuple: Words,
    pub(super) each: Words,
    pub(super) function_names: Words,
    pub(super) argument_names: Words,
    pub(super) partial: Words,
    pub(super) modes: Words,
    pub(super) mode: String,
}

/// Modules, and text of sources about them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Modules {
    pub(super) built_in: Words,
    pub(super) changes_search: Words,
    pub(super) zones: Words,
}

/// Fonts that are looked up by the names of their files.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Fonts {
    pub(super) endings: Vec<String>,
    pub(super) places: Vec<String>,
}

/// Files that a running program does not need.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Leftovers {
    pub(super) library: Words,
    pub(super) library_beginnings: Words,
    pub(super) tk: Words,
    pub(super) tk_extensions: Words,
    pub(super) tests: Words,
    pub(super) test_extensions: Words,
    pub(super) test_objects: Words,
    pub(super) installers: Words,
    pub(super) builders: Words,
    pub(super) caches: Words,
    pub(super) endings: Words,
}

/// Settings of application servers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Servers {
    pub(super) variables: Words,
    pub(super) directories: Words,
    pub(super) files: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "python"
}
