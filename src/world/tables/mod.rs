//! Tables of names used by rules: TOML files next to the profiles, compiled in, and parsed once when they are first
//! needed. Each table has its own type next to the rules that use it.

mod applets;
mod directories;
mod imports;
mod optional;
mod own_settings;
mod own_sources;
mod variables;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use applets::{has_applets, helper};
pub(crate) use directories::{Directories, system};
pub(crate) use imports::imports;
pub(crate) use optional::optional_feature;
pub(crate) use own_settings::own_settings;
pub(crate) use own_sources::own_sources;
pub(crate) use variables::variables;

/// The schema version of every table.
const FORMAT: i64 = 1;

/// Defines the function that returns a table of `profiles/tables/`, and the test that parses it. Use it once per
/// module.
macro_rules! table {
    ($(#[$about:meta])* $seen:vis fn $name:ident() -> $kind:ty = $file:literal) => {
        $(#[$about])*
        $seen fn $name() -> &'static $kind {
            static TABLE: std::sync::OnceLock<$kind> = std::sync::OnceLock::new();
            let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/tables/", $file, ".toml"));
            TABLE.get_or_init(|| $crate::world::tables::parsed($file, text))
        }

        #[cfg(test)]
        mod table_test {
            #[test]
            fn every_row_is_understood() {
                super::$name();
            }
        }
    };
}
pub(crate) use table;

/// Parses a compiled-in table.
///
/// # Panics
/// If the table is wrong. It is part of the program, and a test parses every one.
#[allow(clippy::panic, reason = "a wrong table is a defect of the program itself, which a test excludes")]
pub(crate) fn parsed<T: DeserializeOwned>(name: &str, text: &str) -> T {
    let lists = toml::from_str::<toml::Table>(text).and_then(|mut table| {
        // serde cannot refuse unknown fields in a flattened structure.
        let format = table.remove("format");
        if format.as_ref().and_then(toml::Value::as_integer) != Some(FORMAT) {
            panic!("profiles/tables/{name}.toml: format = {format:?} is not known");
        }
        table.try_into()
    });
    lists.unwrap_or_else(|error| panic!("profiles/tables/{name}.toml: {error}"))
}

/// Words of a table: names, options, or beginnings or ends of them.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// True if the word is one of these.
    pub(crate) fn contain(&self, word: impl AsRef<[u8]>) -> bool {
        self.0.iter().any(|known| known.as_bytes() == word.as_ref())
    }

    /// True if the word begins with one of these.
    pub(crate) fn begin(&self, word: impl AsRef<[u8]>) -> bool {
        self.0.iter().any(|known| word.as_ref().starts_with(known.as_bytes()))
    }

    /// True if the word ends with one of these.
    pub(crate) fn end(&self, word: impl AsRef<[u8]>) -> bool {
        self.0.iter().any(|known| word.as_ref().ends_with(known.as_bytes()))
    }

    /// True if the text contains one of these.
    pub(crate) fn occur_in(&self, text: impl AsRef<[u8]>) -> bool {
        self.0.iter().any(|known| memchr::memmem::find(text.as_ref(), known.as_bytes()).is_some())
    }

    /// True for a table without words.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_an_unknown_word_or_format_is_refused() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct One {
            #[allow(dead_code, reason = "only parsed")]
            list: Words,
        }
        let parse = |text: &'static str| std::panic::catch_unwind(|| parsed::<One>("test", text)).is_ok();
        assert!(parse("format = 1\nlist = ['a']"));
        assert!(
            !parse("format = 1\nlist = ['a']\nother = 1") && !parse("format = 2\nlist = []") && !parse("list = []")
        );
    }
}
