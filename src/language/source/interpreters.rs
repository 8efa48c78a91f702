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
    #[serde(default)]
    sources: Words,
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
    /// The option whose value is source text.
    text: Option<String>,
    /// What stands before source text in a file, but not in that option.
    mark: Option<String>,
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

/// True if files with such a name are sources that the interpreter runs.
pub(crate) fn runs_source(interpreter: &str, file: &str) -> bool {
    interpreters().interpreter.iter().any(|row| row.is(interpreter) && row.sources.end(file))
}

/// The interpreter of a program's name, if the table tells how it finds its script.
pub(crate) fn parser_of(name: &str) -> Option<&'static Interpreter> {
    interpreters().interpreter.iter().find(|row| (row.letters.is_some() || row.words.is_some()) && row.is(name))
}

/// The interpreter of a program's name, if it reads its source from standard input.
fn input_of(name: &str, args: &[String]) -> Option<&'static Letters> {
    let name = name.rsplit('/').next().unwrap_or(name);
    // With any other word it has a script or a text of its own.
    let letters = parser_of(name)?.letters.as_ref()?;
    let takes_more =
        |letter: char| [&letters.valued, &letters.attached, &letters.ends].iter().any(|set| set.contains(letter));
    let is_flag =
        |word: &str| word.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && !rest.contains(takes_more));
    args.iter().all(|word| is_flag(word)).then_some(letters)
}

/// Source text on standard input as arguments of the interpreter.
pub(crate) fn text_as_arguments(name: &str, args: &[String], text: &str) -> Option<Vec<String>> {
    let letters = input_of(name, args)?;
    let option = letters.text.clone()?;
    let text = text.trim_start();
    let text = letters.mark.as_ref().and_then(|mark| text.strip_prefix(mark.as_str())).unwrap_or(text);
    Some(vec![option, text.to_owned()])
}

/// A file on standard input as the script of the interpreter.
pub(crate) fn file_as_argument(name: &str, args: &[String], file: &str) -> Option<Vec<String>> {
    input_of(name, args).filter(|_| !file.is_empty()).map(|_| vec![file.to_owned()])
}

/// The shell that the C library and the languages start for a command line.
pub(crate) fn system_shell() -> &'static str {
    &interpreters().system_shell
}

/// The words that start a command line in that shell.
pub(crate) fn shell_words(text: &str) -> Vec<String> {
    [system_shell(), "-c", text].map(str::to_owned).to_vec()
}
