//! The calls, options, runners and leftovers of Node (`profiles/tables/node.toml` documents each list).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::language::source::names::Rules;
use crate::world::tables::{Words, table};

/// The table of Node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) program: String,
    pub(super) libraries: Words,
    pub(super) calls: Calls,
    pub(super) options: Options,
    pub(super) modules: Modules,
    pub(super) packages: Packages,
    pub(super) leftovers: Leftovers,
    pub(super) runner: Vec<Runner>,
    pub(super) scripts: Scripts,
}

/// Text that shows what a source does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Calls {
    pub(super) module: String,
    pub(super) starts: Words,
    pub(super) runs_shell: Words,
    pub(super) methods: Words,
    pub(super) finders: Words,
    pub(super) options: Words,
    pub(super) same: Words,
    pub(super) joins: Words,
    pub(super) defaults: Words,
    pub(super) keeps: Words,
    pub(super) gives_up: Words,
    pub(super) tools: Words,
    pub(super) words: Words,
    pub(super) build_files: Words,
}

impl Calls {
    /// Returns the rules that follow names through calls.
    pub(super) fn rules(&self) -> Rules {
        let calls = &table().calls;
        Rules {
            same: &calls.same,
            joins: &calls.joins,
            defaults: &calls.defaults,
            default_names: &calls.defaults,
            has_settings: false,
        }
    }
}

/// Options and variables that make Node load files.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Options {
    pub(super) modules: Words,
    pub(super) files: Words,
    pub(super) variables: Words,
    pub(super) source_maps: Words,
    pub(super) endings: Words,
    pub(super) main_endings: Words,
}

/// Modules that are not packages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Modules {
    pub(super) built_in: Words,
    pub(super) changes_search: Words,
}

/// Directories of packages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Packages {
    pub(super) places: Words,
    pub(super) stores: Words,
    pub(super) systems: Words,
    pub(super) read_types: Words,
}

/// Files that a running program does not need.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Leftovers {
    pub(super) documents: Words,
    pub(super) document_endings: Words,
    pub(super) developers: Words,
    pub(super) tests_begin: Words,
    pub(super) tests_end: Words,
    pub(super) types: Words,
    pub(super) build_endings: Words,
    pub(super) build_directories: Words,
    pub(super) build_directories_at_top: Words,
}

/// A program that starts a command of package.json or of an installed package.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Runner {
    pub(super) names: Words,
    #[serde(default)]
    pub(super) start: Words,
    #[serde(default)]
    pub(super) run: Words,
    #[serde(default)]
    pub(super) scripts: bool,
    #[serde(default)]
    pub(super) program: Words,
    #[serde(default)]
    pub(super) exec: Words,
    #[serde(default)]
    pub(super) execs: bool,
    #[serde(default)]
    pub(super) dirs: Words,
    #[serde(default)]
    pub(super) filters: Words,
    #[serde(default)]
    pub(super) filter: Words,
    #[serde(default)]
    pub(super) through: BTreeMap<String, Vec<String>>,
}

/// Words of scripts without an effect.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Scripts {
    pub(super) options: Words,
    pub(super) workspaces: Vec<String>,
    pub(super) no_ops: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "node"
}
