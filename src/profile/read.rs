//! What a profile reads: configuration files, and which of their statements name other files.

use super::{Need, Place};
use crate::config::{Grammar, Statement};

/// Configuration that is read for what it names.
#[derive(Clone, Debug)]
pub struct Read {
    /// Why what it names is wanted.
    pub why: String,
    /// How the files are written.
    pub grammar: Grammar,
    /// Where reading starts; every file that matches.
    pub files: Vec<Place>,
    /// Options of the command after which another file is named, which is read instead.
    pub arguments: Vec<String>,
    /// Of a directory in `files` only those are read that an object names which imports one of these; empty: all are.
    pub named_by: Vec<String>,
    /// Those that are read besides.
    pub always: Vec<String>,
    /// Which statements name what; of the rules that fit a statement the first counts.
    pub names: Vec<Names>,
    /// Taken, with what ELF files need, where the configuration is not there or cannot be read whole.
    pub otherwise: Vec<Place>,
}

/// One kind of statement, and what it names.
#[derive(Clone, Debug)]
pub struct Names {
    /// The directives, whatever their case; `*` is every one, besides the first rule that names it.
    pub directives: Vec<String>,
    /// An attribute that the statement must have, as `name=value`.
    pub with: Option<String>,
    /// The name is the value of this attribute, not a word.
    pub attribute: Option<String>,
    /// Which word, from 1; 0 is each of them.
    pub word: usize,
    /// Only words that follow one of these.
    pub after: Vec<String>,
    /// The names are the absolute paths of regular files that stand in the words, in brackets too.
    pub paths: bool,
    /// The name ends before this.
    pub until: Option<String>,
    /// Whether the names are the keys of the section that the word names.
    pub keys: bool,
    /// What is named.
    pub what: What,
    /// Directories that a relative name counts from, the first that has it; `.` is that of the naming file.
    pub bases: Vec<Place>,
    /// What is added to a name that does not end in it.
    pub suffix: String,
    /// Names that are no files.
    pub except: Vec<String>,
    /// How much a named file is missed that is not there.
    pub need: Need,
}

/// What a statement names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// More configuration of the same grammar: a file, a pattern, or a directory of files.
    Config,
    /// A module that the process opens.
    Module,
    /// A file or directory that is read.
    File,
    /// A directory that is written to, or a file in it: the directory, without what lies in it.
    Dir,
    /// A command line: its programs are told if they are in the root, not taken.
    Command,
    /// A file or directory of the user's, or a key: told, not taken.
    Told,
    /// A value that stands in braces in paths.
    Value(String),
    /// A variable and its value: `${name}` in other words.
    Variable,
}

impl Read {
    /// The rules that a statement falls under: the first that has its directive, and those for every one.
    pub fn rules(&self, statement: &Statement) -> impl Iterator<Item = &Names> {
        let has = move |names: &&Names| names.with.as_ref().is_none_or(|with| statement.attributes.contains(with));
        let is_own = |directive: &String| directive.eq_ignore_ascii_case(&statement.name);
        let own = self.names.iter().filter(has).find(|names| names.directives.iter().any(is_own));
        own.into_iter().chain(self.names.iter().filter(has).filter(|names| names.is_for_all()))
    }
}

impl Names {
    /// Every directive.
    pub const ALL: &str = "*";

    fn is_for_all(&self) -> bool {
        self.directives.iter().any(|directive| directive == Self::ALL)
    }
}
