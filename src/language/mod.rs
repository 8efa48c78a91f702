//! Language rules: dependencies that no ELF file records because they depend on how an interpreter is called. There is
//! one file per language. Each inspects a [`Call`] and returns the directories that belong to it, the files in them
//! that are certainly not needed at run time, and the other programs that it starts. Paths that are the same for every
//! call belong in a profile.

mod dotnet;
mod java;
mod node;
mod perl;
mod php;
mod python;
mod r;
mod ruby;
mod shell;
mod source;
mod unread;
mod wrapper;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::elf::Target;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

use source::interpreters::Tongue;

pub use crate::world::Unneeded;
pub use java::{manifest_files, nests_jars};
pub(crate) use node::is_script_runner;
pub use node::{Replaced, replaced};
pub use shell::UnresolvedCommand;
pub(crate) use source::application::{is_leftover, is_program_dir, is_wide};
pub(crate) use source::interpreters::{runs_language, runs_source, shell_words, system_shell};
pub(crate) use source::json;
pub use source::missing::MissingApplication;
pub use source::wrapped::{looks_up_interpreters, runs_others, user as changed_user};
pub(crate) use unread::{MAX_TEXT, is_word, started, started_by_source};

/// Finds modules that packages install in a directory and the script does not need, given the modules that it loads.
pub type LeavesOut<'f> = dyn Fn(&RootPath, &[String]) -> Result<Option<Unneeded>, Error> + 'f;

/// Finds files of packages in a directory.
pub type InDirectory<'f, T> = dyn Fn(&RootPath) -> Result<T, Error> + 'f;

/// Arguments, directory and environment of a launch.
pub struct Call<'a> {
    /// The root file system.
    pub root: &'a Root,
    /// Scripts, as called, in the order in which each is interpreted by the next; the first is the entry if that is a
    /// script.
    pub scripts: Vec<RootPath>,
    /// Machine-code programs, as called, in the order in which they are started.
    pub programs: Vec<RootPath>,
    /// Arguments after the entry.
    pub args: &'a [String],
    /// The working directory of the image.
    pub cwd: &'a RootPath,
    /// The environment of the image.
    pub env: &'a BTreeMap<String, String>,
    /// PATH in the image.
    pub path: &'a str,
    /// SONAMEs of the libraries that the programs load.
    pub sonames: &'a BTreeSet<Vec<u8>>,
    /// Scripts that were read before.
    pub memory: &'a Memory,
    /// The platform that the programs are built for.
    pub target: Option<Target>,
    /// True if the programs use musl as their C library.
    pub is_musl: bool,
    /// Finds packages with modules in a directory that the script's package does not need; `None` if the script belongs
    /// to no package, or its arguments name the user's own files.
    pub unneeded: Option<&'a LeavesOut<'a>>,
    /// The files in a directory of modules that are built from the source of the script's own package.
    pub own_modules: &'a InDirectory<'a, Vec<RootPath>>,
}

/// Scripts that were read: many launches of one script read it once.
#[derive(Default)]
pub struct Memory {
    scripts: RefCell<HashMap<String, Rc<shell::Script>>>,
    /// Cached results of [`shell`] scripts, by script, working directory and PATH.
    named: RefCell<HashMap<(RootPath, RootPath, String), Rc<shell::Named>>>,
    started: source::started::Memory,
}

impl Memory {
    /// Parses a script or a substitution, once for equal texts.
    fn script(&self, text: &str) -> Rc<shell::Script> {
        if let Some(known) = self.scripts.borrow().get(text) {
            return Rc::clone(known);
        }
        let script = Rc::new(shell::parse(text));
        self.scripts.borrow_mut().insert(text.to_owned(), Rc::clone(&script));
        script
    }

    /// Returns the files and commands in a script, computed by `read` for the first launch with this directory and
    /// PATH.
    fn named(
        &self,
        (script, cwd, path): (&RootPath, &RootPath, &str),
        read: impl FnOnce() -> Result<shell::Named, Error>,
    ) -> Result<Rc<shell::Named>, Error> {
        let key = (script.clone(), cwd.clone(), path.to_owned());
        if let Some(known) = self.named.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let named = Rc::new(read()?);
        self.named.borrow_mut().insert(key, Rc::clone(&named));
        Ok(named)
    }
}

/// Certainty that a program is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// A word in a script matches the name of a program.
    Possible,
    /// A source contains a literal call of it.
    Likely,
    /// It is the entry, or a program that surely runs executes it.
    Sure,
}

/// True for a path below a claimed directory that is not needed at run time.
pub type Without = Rc<dyn Fn(&Root, &RootPath) -> bool>;

/// The kind of directory that a claim covers, which decides between overlapping claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An application of unknown kind. The claim yields to claims of languages in the same application.
    Plain,
    /// The directory of an application whose language is known.
    Application,
    /// A directory of the language itself: its standard library or installed packages.
    Own,
}

/// A directory that belongs to a launch. All of it is packed, except files that its owner leaves out.
#[derive(Clone)]
pub struct Claim {
    /// The directory.
    pub dir: RootPath,
    /// True for paths that are left out.
    pub without: Without,
    /// The kind of directory.
    pub scope: Scope,
    /// The group under which the report counts it, such as `Python packages`.
    pub group: &'static str,
    /// Why it is needed.
    pub why: String,
}

/// A program that a launch may start, with unknown arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The path, or a name to look up in PATH.
    pub name: String,
    /// Certainty that the program is started.
    pub certainty: Certainty,
    /// Why it is needed.
    pub why: String,
}

/// A program that a launch starts, with the arguments passed to execve(2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The working directory.
    pub cwd: RootPath,
    /// The environment, as far as it is known.
    pub env: BTreeMap<String, String>,
    /// True if every run of the launch reaches this program and does nothing after it.
    pub is_exec: bool,
    /// Certainty of the launch if the launch that starts it is certain.
    pub certainty: Certainty,
    /// Why it is needed.
    pub why: String,
}

impl Start {
    /// A program that replaces the launch, with the same directory and environment.
    fn of(call: &Call<'_>, words: Vec<String>, why: String) -> Self {
        let (cwd, env) = (call.cwd.clone(), call.env.clone());
        Self { words, cwd, env, is_exec: true, certainty: Certainty::Sure, why }
    }
}

/// A library that a launch opens by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Candidate names; the first one that is found is used.
    pub names: Vec<String>,
    /// True if a missing library is reported.
    pub is_wanted: bool,
    /// Why it is needed.
    pub why: String,
}

/// An extension module that a launch loads in every run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Imported {
    /// Its real file.
    pub file: RootPath,
    /// The import that loads it, as a clause.
    pub why: String,
}

/// A module that a launch imports in every run and that the root lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissingModule {
    /// Its name, by which it is installed.
    pub module: String,
    /// The source that imports it.
    pub file: RootPath,
    /// One sentence.
    pub says: String,
    /// Advice on how to install it.
    pub help: String,
}

impl MissingModule {
    /// An import in a line of a source.
    fn import(file: &RootPath, line: usize, module: String, language: &str, help: String) -> Self {
        let says = format!("{file}:{line} imports {module}, which is not in any directory where {language} looks");
        Self { module, file: file.clone(), says, help }
    }
}

/// The dependencies of a launch.
#[derive(Default)]
pub struct Needs {
    /// Directories that belong to it.
    pub claims: Vec<Claim>,
    /// Single files and directories by their real paths, with the reason.
    pub files: Vec<(RootPath, String)>,
    /// The same for words of its scripts that may mean something else: `--exclude` leaves them out.
    pub named: Vec<(RootPath, String)>,
    /// Files and directories by the paths through which they are accessed, so that the symlinks on the way are packed
    /// too; each with the reason.
    pub paths: Vec<(Vec<u8>, String)>,
    /// Directories of compiled classes, and single ones, which are read like archives.
    pub classes: Vec<RootPath>,
    /// Absolute paths of other files and directories that its sources contain, each with the reason.
    pub data: Vec<(String, String)>,
    /// Programs that it may start.
    pub commands: Vec<Command>,
    /// Programs that it starts with known arguments.
    pub starts: Vec<Start>,
    /// Libraries that the interpreter's process opens by name.
    pub libraries: Vec<Library>,
    /// Programs of the root that it can do without, each with the reason. They are reported, not packed.
    pub offers: Vec<(RootPath, String)>,
    /// Programs that it would start but that are missing.
    pub unresolved: Vec<UnresolvedCommand>,
    /// Applications that it would run but that are missing.
    pub missing_applications: Vec<MissingApplication>,
    /// Extension modules that its interpreter loads in every run.
    pub imports: Vec<Imported>,
    /// Modules that it imports in every run and that the root lacks.
    pub missing_modules: Vec<MissingModule>,
    /// Profiles, with the evidence for each.
    pub profiles: Vec<(&'static str, String)>,
    /// Packages whose modules are left out, since the package of the script does not need them, by the directory of the
    /// modules.
    pub unneeded: Vec<(RootPath, Unneeded)>,
    /// Note that no rule reads the language of the script.
    pub unread: Option<String>,
    /// Notes for the user.
    pub notes: Vec<String>,
    /// That it starts a command which it gets when it runs. It is told of the entry.
    pub waits: Option<String>,
    /// Limits that were reached, and what was not read because of them.
    pub cuts: Vec<String>,
}

impl Needs {
    /// Reports a limit, once in the same words.
    fn cut(&mut self, says: String) {
        if !self.cuts.contains(&says) {
            self.cuts.push(says);
        }
    }
}

/// A language: recognises its own launches and finds their dependencies.
pub struct Language {
    /// Its name, which is also the id of its rule.
    pub id: &'static str,
    /// One sentence for `slimroot explain rule:ID`.
    pub about: &'static str,
    /// The dependencies of a launch; empty for a launch of another language.
    ///
    /// # Errors
    /// `unreadable`.
    pub needs: fn(&Call<'_>) -> Result<Needs, Error>,
}

/// Every language.
pub const LANGUAGES: &[Language] = &[
    Language {
        id: "missing-application",
        about: "Reports a script, jar or module that a command names and that is not in the root.",
        needs: missing,
    },
    Language {
        id: "arguments",
        about: "Packs the files and directories that arguments and environment variables of a launch name.",
        needs: source::arguments::find,
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
    Language { id: "r", about: "Packs an R application and the programs that its sources start.", needs: r::find },
    Language {
        id: "unread-script",
        about: "Packs the application of a script in a language that slimroot does not read, such as a makefile, and \
                reports which programs its words name.",
        needs: unread::find,
    },
];

/// True for the name of a shell, or of a program with many commands, of which one is a shell.
pub fn is_shell(name: &str) -> bool {
    Tongue::Shell.is_run_by(name) || crate::world::tables::has_applets(name.as_bytes())
}

/// True for a program that runs and writes Python's bytecode.
pub fn reads_bytecode(name: &str) -> bool {
    [Tongue::Python, Tongue::Pypy].into_iter().any(|tongue| tongue.is_run_by(name))
}

/// Applications that the root lacks: scripts and jars, and Python's modules.
fn missing(call: &Call<'_>) -> Result<Needs, Error> {
    let module = python::missing_module(call)?;
    let mut needs = source::missing::find(call)?;
    needs.missing_applications.splice(..0, module);
    Ok(needs)
}

impl Call<'_> {
    /// The first program whose name, as called or after symlinks, fits; returns the path as called and the real path.
    fn program(&self, fits: impl Fn(&str) -> bool) -> Result<Option<(RootPath, RootPath)>, Error> {
        for path in &self.programs {
            let Some(real) = self.root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone()) else { continue };
            if fits(&String::from_utf8_lossy(real.name())) || fits(&String::from_utf8_lossy(path.name())) {
                return Ok(Some((path.clone(), real)));
            }
        }
        Ok(None)
    }

    /// The real file that an argument names, relative to the working directory.
    fn file(&self, word: &str) -> Result<Option<RootPath>, Error> {
        let followed = self.root.follow_from(self.cwd, word.as_bytes())?;
        Ok(followed.file().map(|(real, _)| real.clone()))
    }

    /// The real directory that an argument names, relative to the working directory.
    fn dir(&self, word: &str) -> Result<Option<RootPath>, Error> {
        Ok(self.root.follow_from(self.cwd, word.as_bytes())?.dir().cloned())
    }

    /// The absolute path of an argument, without following symlinks.
    fn spelled(&self, word: &str) -> Vec<u8> {
        match word.starts_with('/') {
            true => word.as_bytes().to_vec(),
            false => [self.cwd.as_bytes(), b"/", word.as_bytes()].concat(),
        }
    }

    /// Returns files that packages install in directories of modules and that the script does not need; empty for a
    /// script of the user, and for one that runs code of the user. `loaded` are the files and directories that the
    /// script itself loads, relative to such a directory.
    fn unneeded_in(
        &self,
        dirs: &[RootPath],
        runs_own_code: bool,
        loaded: &[String],
    ) -> Result<Vec<(RootPath, Unneeded)>, Error> {
        let Some(find) = self.unneeded.filter(|_| !runs_own_code) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for dir in dirs {
            found.extend(
                find(dir, loaded)?
                    .filter(|unneeded| !unneeded.paths.is_empty())
                    .map(|unneeded| (dir.clone(), unneeded)),
            );
        }
        Ok(found)
    }

    /// The script that runs, if none of these directories contains it: one with a `#!` line, or an argument with one of
    /// these endings. The result has its real path.
    fn lone_script(&self, dirs: &[RootPath], endings: &[&str]) -> Result<Option<RootPath>, Error> {
        let Some(script) = self.script()? else { return Ok(None) };
        if self.scripts.is_empty() && !endings.iter().any(|end| script.name().ends_with(end.as_bytes())) {
            return Ok(None);
        }
        let followed = self.root.follow_from(self.cwd, script.as_bytes())?;
        let real = followed.file().map(|(real, _)| real.clone());
        Ok(real.filter(|real| !dirs.iter().any(|dir| real.is_within(dir))))
    }

    /// The script that an interpreter runs: the one with the `#!` line, or the first argument that is a file.
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
