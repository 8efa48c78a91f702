//! Functions with which PHP sources start programs, and settings of PHP and php-fpm (`profiles/tables/php.toml`
//! documents each list).

use serde::Deserialize;

use crate::language::source::started::Manner;
use crate::world::tables::{Words, table};

/// The table of PHP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Table {
    pub(super) profile: String,
    pub(super) composer: Words,
    pub(super) composer_run: Words,
    pub(super) starts: Manner,
    pub(super) settings: Settings,
    pub(super) fpm: Fpm,
}

/// Settings of PHP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) loaded: Words,
    pub(super) written: Words,
    pub(super) directories: Words,
}

/// Configuration of php-fpm.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Fpm {
    pub(super) configurations: Words,
    pub(super) written: Words,
    pub(super) homes: Words,
}

table! {
    /// The table.
    pub(super) fn table() -> Table = "php"
}
