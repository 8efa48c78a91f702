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
use std::rc::Rc;

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

/// How sure it is that a program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// A word happens to name a program.
    Possible,
    /// A source contains a literal call of it.
    Likely,
    /// It is the entry, or a program that surely runs executes it.
    Sure,
}

/// True for a path below a claimed directory that nothing needs at run time.
pub type Without = Rc<dyn Fn(&Root, &RootPath) -> bool>;

/// How much a claim says of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An application of an unknown kind: the claim gives way to the claims of languages in the same application.
    Plain,
    /// The directory of an application, as its language sees it.
    Application,
    /// A directory of the language itself: its library, installed packages.
    Own,
}

/// A directory that belongs to a launch. All of it is packed, except what its owner leaves out.
#[derive(Clone)]
pub struct Claim {
    /// The directory.
    pub dir: RootPath,
    /// Leaves out what nothing needs.
    pub without: Without,
    /// How much the claim says.
    pub scope: Scope,
    /// The group under which the report counts it, such as `Python packages`.
    pub group: &'static str,
    /// Why it is needed.
    pub why: String,
}

/// A program that a launch may start, with unknown arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its path, or a name to be looked up in PATH.
    pub name: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// Why it is needed.
    pub why: String,
}

/// A program that a launch starts, as it is given to execve(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Its working directory.
    pub cwd: RootPath,
    /// Its environment, as far as it is known.
    pub env: BTreeMap<String, String>,
    /// True if every run of the launch comes to it and does nothing else after it.
    pub is_exec: bool,
    /// How sure it is, if the launch itself is sure.
    pub certainty: Certainty,
    /// Why it is needed.
    pub why: String,
}

impl Start {
    /// A program that takes the place of the launch, in the same directory and environment.
    fn of(call: &Call<'_>, words: Vec<String>, why: String) -> Self {
        let (cwd, env) = (call.cwd.clone(), call.env.clone());
        Self { words, cwd, env, is_exec: true, certainty: Certainty::Sure, why }
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

/// What a launch needs.
#[derive(Default)]
pub struct Needs {
    /// Directories that belong to it.
    pub claims: Vec<Claim>,
    /// Single files and directories by their real paths, with the reason.
    pub files: Vec<(RootPath, String)>,
    /// Files and directories by the paths that are used for them, with the symlinks on the way, and the reason.
    pub paths: Vec<(Vec<u8>, String)>,
    /// Programs that it may start.
    pub commands: Vec<Command>,
    /// Programs that it starts with known arguments.
    pub starts: Vec<Start>,
    /// Libraries that are opened by name in the process of the interpreter.
    pub libraries: Vec<Library>,
    /// Programs that it would start and that are missing.
    pub unstarted: Vec<Unstarted>,
    /// Applications that it would run and that are missing.
    pub absent: Vec<Absent>,
    /// Profiles, with the evidence for each.
    pub profiles: Vec<(&'static str, String)>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// A language: it recognises its own launches, and says what such a launch needs.
pub struct Language {
    /// Its name, which is the id of its rule.
    pub id: &'static str,
    /// One sentence for `slimroot explain rule:ID`.
    pub about: &'static str,
    /// What a launch needs; nothing for a launch of another language.
    ///
    /// # Errors
    /// `unreadable`.
    pub needs: fn(&Call<'_>) -> Result<Needs, Error>,
}

/// Every language.
pub const LANGUAGES: &[Language] = &[
    Language {
        id: "missing-application",
        about: "Reports the script, jar or module that a command names and that is not in the root.",
        needs: absent::find,
    },
    Language {
        id: "arguments",
        about: "Packs the files and directories that arguments and environment variables of a launch name.",
        needs: arguments::find,
    },
    Language {
        id: "dotnet",
        about: "Packs a .NET application with the frameworks that its host selects.",
        needs: dotnet::find,
    },
    Language {
        id: "java",
        about: "Packs the Java runtime of a launch, its class path, and the jars that manifests name.",
        needs: java::find,
    },
    Language {
        id: "node",
        about: "Packs a Node application and the packages that its dependencies lead to, without development packages.",
        needs: node::find,
    },
    Language {
        id: "perl",
        about: "Packs a Perl application with the directories of its load path.",
        needs: perl::find,
    },
    Language {
        id: "php",
        about: "Packs a PHP application with its include path, without development packages.",
        needs: php::find,
    },
    Language {
        id: "python",
        about: "Packs Python's standard library, installed packages, virtual environment and the application.",
        needs: python::find,
    },
    Language { id: "ruby", about: "Packs a Ruby application with its gems and load path.", needs: ruby::find },
    Language {
        id: "shell",
        about: "Reads shell scripts: the programs they start, the files they source, the directory they lie in.",
        needs: shell::find,
    },
    Language {
        id: "wrapper",
        about: "Follows programs that start the command in their arguments, such as env, tini, timeout or su-exec.",
        needs: wrapper::find,
    },
];

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
