//! Configuration files that a profile reads, and their statements that refer to other files.

use std::collections::BTreeMap;

use super::{Need, Place};
use crate::config::{Grammar, Statement};

/// Configuration files that are read for references to other files.
#[derive(Clone, Debug)]
pub struct Read {
    /// The reason, for reports.
    pub why: String,
    /// The grammar of the files.
    pub grammar: Grammar,
    /// The main configuration files; all matches are read.
    pub files: Vec<Place>,
    /// Command-line options whose argument is another configuration file, which is read instead.
    pub arguments: Vec<String>,
    /// The beginning of environment variables that are statements too: `UWSGI_` for `UWSGI_PLUGINS_DIR=x`.
    pub variables: Option<String>,
    /// If not empty: in the directories of `files`, only files are read whose name occurs in an object that imports one
    /// of these symbols.
    pub named_by: Vec<String>,
    /// File names that are read in addition to those of `named_by`.
    pub always: Vec<String>,
    /// Rules for the statements that refer to files; the first matching rule applies.
    pub names: Vec<Names>,
    /// Files to pack, with ELF dependencies, if there is no configuration or it cannot be read completely.
    pub otherwise: Vec<Place>,
}

/// A rule for one kind of statement.
#[derive(Clone, Debug)]
pub struct Names {
    /// The directives, ignoring case. `*` matches all directives, in addition to the first specific rule.
    pub directives: Vec<String>,
    /// An attribute that the statement must have, in the form `name=value`.
    pub with: Option<String>,
    /// If set, the name is the value of this attribute instead of an argument.
    pub attribute: Option<String>,
    /// The number of the argument with the name, from 1; 0 means all.
    pub word: usize,
    /// If not empty, only arguments after one of these words.
    pub after: Vec<String>,
    /// True if the names are the absolute paths of regular files in the arguments, also in brackets.
    pub paths: bool,
    /// True if blanks separate several names in one argument.
    pub split: bool,
    /// Text that separates several names in one argument.
    pub between: Option<String>,
    /// The name ends before this text.
    pub until: Option<String>,
    /// The name follows this text: `prg:` of `prg:/usr/bin/x`. The rule applies only to statements that have it.
    pub begins: Option<String>,
    /// True if the argument is a section whose keys are the names.
    pub keys: bool,
    /// The kind of thing that the name refers to.
    pub what: What,
    /// Base directories of relative names; the first that contains the name applies. `.` is the directory of the file
    /// with the statement.
    pub bases: Vec<Place>,
    /// A suffix to add to names that lack it.
    pub suffix: String,
    /// Names that do not refer to files.
    pub except: Vec<String>,
    /// The consequence if the file does not exist.
    pub need: Need,
    /// Rules for starting a command line, for [`What::Launch`].
    pub launch: CommandLine,
    /// The interpreter of the language, for [`What::Script`] and [`What::Text`].
    pub language: String,
}

/// Rules by which a program starts the command line of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandLine {
    /// True if `/bin/sh -c` (or the shell that the table names in SHELL) runs it. Otherwise its words are the arguments.
    #[serde(default)]
    pub shell: bool,
    /// Text that must precede it; without this text, it is not a command line.
    pub prefix: Option<String>,
    /// True if the words of the statement from the rule's word on are its words.
    #[serde(default)]
    pub rest: bool,
    /// Number of columns before it.
    #[serde(default)]
    pub skip: usize,
    /// Words to put in front of it, such as `python3 -m`.
    #[serde(default)]
    pub before: Vec<String>,
    /// Words that replace the first word if it has this suffix: an interpreter by the suffix of its scripts.
    #[serde(default)]
    pub by_ending: BTreeMap<String, String>,
    /// The key of the same section with its working directory; `.` is the directory of the file. Without it, the
    /// directory of the program that reads the file.
    pub cwd: Option<String>,
    /// The key of the same section with its environment: `NAME=value`, separated by commas or blanks.
    pub env: Option<String>,
    /// The key of the same section with more arguments.
    pub arguments: Option<String>,
    /// True if a command line in a file of a package is used only if other files of that package are packed.
    #[serde(default)]
    pub packed: bool,
}

impl CommandLine {
    /// True if it refers to other keys of its section.
    pub fn has_keys(&self) -> bool {
        let of_file = |key: &Option<String>| key.as_deref().is_some_and(|key| key != ".");
        of_file(&self.cwd) || self.env.is_some() || self.arguments.is_some()
    }
}

/// The kind of thing that a statement refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// More configuration of the same grammar: a file, a pattern, or a directory of files.
    Config,
    /// A module that the process opens.
    Module,
    /// A file or directory that is read.
    File,
    /// A directory that the program writes to, or a file in one: the directory is created without its contents.
    Dir,
    /// A command line: its programs are reported if the root has them, but not packed.
    Command,
    /// A command line that the program starts.
    Launch,
    /// A directory of programs that the program starts, or one program.
    Programs,
    /// A file or directory of the user, or a key: reported, but not packed.
    Told,
    /// A value for a placeholder in paths.
    Value(String),
    /// The definition of a variable, used as `${name}` in other statements.
    Variable,
    /// A file, or a directory of files, in a language that no rule reads: packed, and searched for calls of programs.
    Script,
    /// The text of a program in such a language.
    Text,
}

impl Read {
    /// The rules that apply to a statement: the first with its directive, and those for all directives.
    pub fn rules(&self, statement: &Statement) -> impl Iterator<Item = &Names> {
        let has = move |names: &&Names| {
            let has_text = |text: &String| {
                names
                    .words_of(statement)
                    .any(|word| word.strip_prefix(text.as_str()).is_some_and(|rest| !rest.is_empty()))
            };
            names.with.as_ref().is_none_or(|with| statement.attributes.contains(with))
                && names.begins.as_ref().is_none_or(has_text)
        };
        let is_own = |directive: &String| directive.eq_ignore_ascii_case(&statement.name);
        let own = self.names.iter().filter(has).find(|names| names.directives.iter().any(is_own));
        own.into_iter().chain(self.names.iter().filter(has).filter(|names| names.is_for_all()))
    }
}

impl Names {
    /// Matches all directives.
    pub const ALL: &str = "*";

    /// The arguments in which the name is looked for, by their number.
    pub fn words_of<'s>(&self, statement: &'s Statement) -> impl Iterator<Item = &'s str> + use<'s> {
        let (skipped, taken) = if self.word == 0 { (0, usize::MAX) } else { (self.word - 1, 1) };
        statement.words.iter().map(String::as_str).skip(skipped).take(taken)
    }

    fn is_for_all(&self) -> bool {
        self.directives.iter().any(|directive| directive == Self::ALL)
    }
}
