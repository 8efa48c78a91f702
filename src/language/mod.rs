//! Languages: what a program needs that no ELF file names, because it depends on how an interpreter is called. One file
//! a language; each looks at a [`Call`] and says which directories belong to it, what in them is surely not needed at run
//! time, and which other programs it starts. Places that are the same for every call are profiles.

mod absent;
mod app;
mod arguments;
mod dotnet;
mod dotnet_bundle;
mod dotnet_host;
mod java;
mod literals;
mod node;
mod node_flags;
mod node_packages;
mod node_pnp;
mod node_reach;
mod node_shared;
mod npm;
mod perl;
mod php;
mod php_fpm;
mod python;
mod python_server;
mod python_text;
mod ruby;
mod ruby_bundle;
mod shell;
mod shell_builtins;
mod shell_run;
mod shell_tree;
mod shell_words;
mod started;
mod wrapper;

use std::collections::{BTreeMap, BTreeSet};

use crate::elf::Target;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

pub use absent::Absent;
pub use java::nests_jars;
pub use npm::{Replaced, replaced};
pub use shell_run::Unstarted;

/// How an entry is called.
pub struct Call<'a> {
    /// Where everything lies.
    pub root: &'a Root,
    /// Scripts in the order in which they interpret each other, as called; the entry is the first if it is one.
    pub scripts: Vec<RootPath>,
    /// Programs in machine code in the order in which they are started, as called.
    pub programs: Vec<RootPath>,
    /// Words after the entry.
    pub args: &'a [String],
    /// The working directory of the image.
    pub cwd: &'a RootPath,
    /// Its environment.
    pub env: &'a BTreeMap<String, String>,
    /// Its PATH.
    pub path: &'a str,
    /// SONAMEs of what the programs load.
    pub sonames: BTreeSet<Vec<u8>>,
    /// What the programs are built for.
    pub target: Option<Target>,
    /// Whether their C library is musl.
    pub is_musl: bool,
}

/// Says of a path below a home that it is surely not needed at run time.
pub type Without = Box<dyn Fn(&Root, &RootPath) -> bool>;

/// A directory that belongs to a call: all of it comes, but for what is left out.
pub struct Home {
    /// The directory.
    pub dir: RootPath,
    /// What is left out.
    pub without: Without,
    /// The group under which the report counts it, such as `Python packages`.
    pub group: &'static str,
    /// Why it is needed.
    pub why: String,
}

/// A program that a call starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its path, or a name to be looked up in PATH.
    pub name: String,
    /// Why it is needed.
    pub why: String,
}

/// A command that a call starts with words, and the circumstances that it gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The directory it is started in.
    pub cwd: RootPath,
    /// Its environment, as far as it is known.
    pub env: BTreeMap<String, String>,
    /// Whether it takes the place of what starts it.
    pub is_exec: bool,
    /// Whether what it lacks is worth a word.
    pub is_sure: bool,
    /// Why it is needed.
    pub why: String,
}

impl Start {
    /// A command that takes the place of a call, in the circumstances of that.
    fn of(call: &Call<'_>, words: Vec<String>, why: String) -> Self {
        Self { words, cwd: call.cwd.clone(), env: call.env.clone(), is_exec: true, is_sure: true, why }
    }
}

/// A library that a call opens by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Names, of which the first that is found counts.
    pub names: Vec<String>,
    /// Whether its absence is worth a word.
    pub is_wanted: bool,
    /// Why it is needed.
    pub why: String,
}

/// What a language asks for.
#[derive(Default)]
pub struct Needs {
    /// Directories.
    pub homes: Vec<Home>,
    /// Single files and directories as they are, with why.
    pub files: Vec<(RootPath, String)>,
    /// Files and directories by the paths that are used for them, with the links on their way, and why.
    pub paths: Vec<(Vec<u8>, String)>,
    /// Programs that are started.
    pub commands: Vec<Command>,
    /// Another call that this one turns into: words that start a program.
    pub calls: Vec<Vec<String>>,
    /// Programs that are started with words of their own.
    pub starts: Vec<Start>,
    /// Libraries that are opened by name in the process of the interpreter.
    pub libraries: Vec<Library>,
    /// What would be started and is not there.
    pub unstarted: Vec<Unstarted>,
    /// What the call would run and is not there.
    pub absent: Vec<Absent>,
    /// Profiles, with the sign of each.
    pub profiles: Vec<(&'static str, String)>,
    /// What the user should hear.
    pub notes: Vec<String>,
}

impl Needs {
    fn join(&mut self, other: Self) {
        self.homes.extend(other.homes);
        self.files.extend(other.files);
        self.paths.extend(other.paths);
        self.commands.extend(other.commands);
        self.calls.extend(other.calls);
        self.starts.extend(other.starts);
        self.libraries.extend(other.libraries);
        self.unstarted.extend(other.unstarted);
        self.absent.extend(other.absent);
        self.profiles.extend(other.profiles);
        self.notes.extend(other.notes);
    }
}

/// What a language says of a call; nothing of one that is not its own.
type Language = fn(&Call<'_>) -> Result<Needs, Error>;

/// Every language.
const LANGUAGES: &[Language] = &[
    absent::find,
    arguments::find,
    dotnet::find,
    java::find,
    node::find,
    perl::find,
    php::find,
    python::find,
    ruby::find,
    shell::find,
    wrapper::find,
];

/// What a call needs, by every language that knows it.
///
/// # Errors
/// `unreadable`.
pub fn needs(call: &Call<'_>) -> Result<Needs, Error> {
    let mut all = Needs::default();
    for language in LANGUAGES {
        all.join(language(call)?);
    }
    Ok(all)
}

impl Call<'_> {
    /// The program among those started whose real file has a name that fits; its path as called.
    fn program(&self, fits: impl Fn(&str) -> bool) -> Result<Option<(RootPath, RootPath)>, Error> {
        for path in &self.programs {
            let Some(real) = self.root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone()) else { continue };
            if fits(&String::from_utf8_lossy(real.name())) || fits(&String::from_utf8_lossy(path.name())) {
                return Ok(Some((path.clone(), real)));
            }
        }
        Ok(None)
    }

    /// The real file that a word of the command names, counted from the working directory.
    fn file(&self, word: &str) -> Result<Option<RootPath>, Error> {
        let followed = self.root.follow_from(self.cwd, word.as_bytes())?;
        Ok(followed.file().map(|(real, _)| real.clone()))
    }

    /// The real directory that a word names.
    fn dir(&self, word: &str) -> Result<Option<RootPath>, Error> {
        Ok(self.root.follow_from(self.cwd, word.as_bytes())?.dir().cloned())
    }

    /// The absolute path that a word stands for, as it is spelled.
    fn spelled(&self, word: &str) -> Vec<u8> {
        match word.starts_with('/') {
            true => word.as_bytes().to_vec(),
            false => [self.cwd.as_bytes(), b"/", word.as_bytes()].concat(),
        }
    }

    /// What an interpreter is given to run: the script by its `#!` line, or the first word that is a file.
    fn script(&self) -> Result<Option<RootPath>, Error> {
        if let Some(script) = self.scripts.first() {
            return Ok(Some(script.clone()));
        }
        for word in self.args.iter().filter(|word| !word.starts_with('-')) {
            if let Some(real) = self.file(word)? {
                return Ok(Some(real));
            }
        }
        Ok(None)
    }
}
