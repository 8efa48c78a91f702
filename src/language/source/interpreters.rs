//! Programs that run source text, and how they parse their arguments (`profiles/tables/interpreters.toml`).

use serde::Deserialize;

use crate::world::tables::{Words, table};

/// The language that an interpreter runs.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tongue {
    Dotnet,
    Java,
    Node,
    Perl,
    Php,
    Pypy,
    Python,
    R,
    Ruby,
    Shell,
}

/// All interpreters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Interpreters {
    system_shell: String,
    interpreter: Vec<Interpreter>,
}

/// A kind of interpreter.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Interpreter {
    language: Tongue,
    #[serde(default)]
    names: Words,
    #[serde(default)]
    beginning: Words,
    #[serde(default)]
    versioned: Words,
    #[serde(default)]
    unless: Words,
    /// Parser of options that are letters.
    pub(crate) letters: Option<Letters>,
    /// Parser of options that are words.
    pub(crate) words: Option<OptionWords>,
}

/// Options that are letters after one hyphen.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Letters {
    /// Letters that take a value: the rest of the argument, or else the next argument.
    pub(crate) valued: String,
    /// Letters whose value can only be the rest of the same argument.
    #[serde(default)]
    pub(crate) attached: String,
    /// Letters after which no script follows.
    pub(crate) ends: String,
    /// Long options whose value is the next argument.
    #[serde(default)]
    pub(crate) long_valued: Words,
    /// Suffixes, one of which the script's name must have; if empty, any name will do.
    #[serde(default)]
    pub(crate) suffixes: Words,
}

/// Options that are whole words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OptionWords {
    /// The option that names the script.
    pub(crate) script: String,
    /// Options whose value is the next argument.
    pub(crate) valued: Words,
    /// Beginnings of other options.
    pub(crate) beginning: Words,
}

table! {
    /// The table.
    fn interpreters() -> Interpreters = "interpreters"
}

impl Interpreter {
    fn is(&self, name: &str) -> bool {
        let is_version = |rest: &str| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let is_versioned = || self.versioned.iter().filter_map(|start| name.strip_prefix(start)).any(is_version);
        (self.names.contain(name) || self.beginning.begin(name) || is_versioned()) && !self.unless.occur_in(name)
    }
}

impl Tongue {
    /// True if a program of this name runs the language.
    pub(crate) fn is_run_by(self, name: &str) -> bool {
        interpreters().interpreter.iter().any(|row| row.language == self && row.is(name))
    }
}

/// True for an interpreter of any language.
pub(crate) fn is_interpreter(name: &str) -> bool {
    interpreters().interpreter.iter().any(|row| row.is(name))
}

/// True for an interpreter of a language with a library of its own: of any but shells.
pub(crate) fn runs_language(name: &str) -> bool {
    interpreters().interpreter.iter().any(|row| row.language != Tongue::Shell && row.is(name))
}

/// The interpreter of a program's name, if the table tells how it finds its script.
pub(crate) fn parser_of(name: &str) -> Option<&'static Interpreter> {
    interpreters().interpreter.iter().find(|row| (row.letters.is_some() || row.words.is_some()) && row.is(name))
}

/// The shell that the C library and the languages start for a command line.
pub(crate) fn system_shell() -> &'static str {
    &interpreters().system_shell
}

/// The words that start a command line in that shell.
pub(crate) fn shell_words(text: &str) -> Vec<String> {
    [system_shell(), "-c", text].map(str::to_owned).to_vec()
}
