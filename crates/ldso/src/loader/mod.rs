//! Loaders: what a program's loader in the root would load, said without running it.
//!
//! One call, [`load`], answers for one process. The rules are those of the real loaders, read in their sources and
//! tried against them (`tests/loader_laws.rs`); glibc and musl each have a file of their own. Every search brings its
//! trail, so that a miss explains itself.

mod binding;
mod cache;
mod candidate;
mod conf;
mod facts;
mod glibc;
mod lists;
mod lost;
mod machine;
mod musl;
mod objects;
mod process;
mod search;
mod tokens;

use std::rc::Rc;
use std::sync::Arc;

pub use binding::{UndefinedSymbol, UnmetVersion, undefined_symbols, unmet_versions};
pub use cache::{Cache, CacheEntry};
pub use conf::conf_dirs;
pub use facts::{Facts, Family};
pub use lost::{Cause, Diagnosis, LibraryNames, diagnose};
pub use machine::CPU_LEVELS;
pub use objects::{Objects, Read};
pub use process::{load, open};
pub use search::{Found, FoundBy, Outcome, Search, Step, Via};

use crate::elf::{ElfObject, WantKind};
use slimroot_rootfs::path::RootPath;

/// Where the cache of glibc lies; the path is compiled in.
pub const CACHE_PATH: &[u8] = b"/etc/ld.so.cache";
/// Where the preload list of glibc lies.
pub const PRELOAD_PATH: &[u8] = b"/etc/ld.so.preload";

/// Circumstances of a process that its loader looks at: they are those of the image, not of this machine.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// LD_LIBRARY_PATH.
    pub library_path: Option<Vec<u8>>,
    /// LD_PRELOAD.
    pub preload: Option<Vec<u8>>,
    /// LD_AUDIT.
    pub audit: Option<Vec<u8>>,
    /// The working directory.
    pub cwd: RootPath,
    /// The best CPU level to count on, such as `x86-64-v3`; `None` for the baseline.
    pub cpu: Option<String>,
    /// The loader that a plug-in without interpreter is resolved with.
    pub interpreter: Option<Vec<u8>>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { library_path: None, preload: None, audit: None, cwd: RootPath::root(), cpu: None, interpreter: None }
    }
}

/// What an object is in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What was asked for.
    Entry,
    /// The loader.
    Interpreter,
    /// What PT_INTERP names where that only starts the loader (gcompat); it is gone once the program runs.
    Shim,
    /// Preloaded by variable or file.
    Preload,
    /// Loaded for a need.
    Library,
    /// Opened in a running process, as by dlopen.
    Plugin,
}

/// An object in the process.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The path as the loader composed it, not normalised.
    pub path: Vec<u8>,
    /// The real path in the root.
    pub real: RootPath,
    /// What the file says.
    pub elf: Arc<ElfObject>,
    /// What it is in the process.
    pub role: Role,
    /// Who had it loaded first: an index into the process, always smaller.
    pub loader: Option<usize>,
    /// Its wants in file order, each with its answer.
    pub needs: Vec<Need>,
    identity: (u64, u64),
    /// Names it answers to, besides its SONAME; for musl at most one, the short name.
    names: Vec<Vec<u8>>,
}

impl Loaded {
    /// DT_SONAME, or of an object without one the name of its file, as the loader knows it.
    pub fn name(&self) -> &[u8] {
        self.elf.soname.as_deref().unwrap_or_else(|| self.real.name())
    }
}

/// A want of an object and what became of it.
#[derive(Clone, Debug)]
pub struct Need {
    /// The name as written.
    pub name: Vec<u8>,
    /// Which tag states it.
    pub kind: WantKind,
    /// What became of it.
    pub answer: Answer,
}

/// What became of a want.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An object of the process.
    Object {
        /// Its index.
        index: usize,
        /// How it was found.
        by: FoundBy,
        /// Which directory element led to it.
        via: Option<Via>,
    },
    /// The kernel's own object.
    Vdso,
    /// Nothing, and nothing is amiss: a DT_AUXILIARY that is not there.
    Absent,
    /// Nothing: index into [`Process::missing`].
    Missing(usize),
}

/// A want that nothing answers.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The name as written.
    pub name: Vec<u8>,
    /// Who wants it: an index into [`Process::loaded`].
    pub needed_by: usize,
    /// Everything that was tried.
    pub search: Search,
}

impl Missing {
    /// Why it is missing, in one word.
    pub fn reason(&self) -> &'static str {
        let skipped = |what: &str| {
            let is_it = |step: &Step| matches!(&step.outcome, Outcome::Skipped(why) if why.contains(what));
            self.search.steps.iter().any(is_it)
        };
        if self.search.fatal.is_some() {
            "bad-file"
        } else if skipped("ELF class") {
            "wrong-class"
        } else if skipped("built for") {
            "wrong-machine"
        } else if skipped("CPU") {
            "cpu-level"
        } else {
            "not-found"
        }
    }
}

/// What would make the process die, other than a missing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class of defect.
    pub class: &'static str,
    /// The file it is about.
    pub path: Vec<u8>,
    /// One sentence.
    pub says: String,
}

/// What a better CPU would load instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The name asked for.
    pub name: Vec<u8>,
    /// The CPU level.
    pub level: String,
    /// The file it would load.
    pub path: Vec<u8>,
}

/// A file that the loader reads besides the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// `/etc/ld.so.cache` answered a search.
    Cache,
    /// `/etc/ld.so.preload`.
    PreloadList,
    /// musl's file with the system path.
    PathFile,
}

/// What one process loads at its start.
#[derive(Clone, Debug)]
pub struct Process {
    /// PT_INTERP as written.
    pub interpreter: Option<Vec<u8>>,
    /// What the loader was built with, if there is a loader.
    pub facts: Option<Rc<Facts>>,
    /// Objects in load order; the entry is the first, its interpreter the second. A plug-in shares those of its host.
    pub loaded: Vec<Rc<Loaded>>,
    /// How many of `loaded` were there before: those of the host that a plug-in was opened in.
    pub inherited: usize,
    /// Wants that nothing answers.
    pub missing: Vec<Missing>,
    /// What would make the process die.
    pub faults: Vec<Fault>,
    /// What the loader would complain about and go on: preloads that fail, odd lists.
    pub warnings: Vec<Fault>,
    /// What better CPUs would load.
    pub variants: Vec<Variant>,
    /// Files that the loader reads besides the objects, with their paths.
    pub reads: Vec<(Reads, Vec<u8>)>,
    /// What audit libraries (LD_AUDIT, DT_AUDIT, DT_DEPAUDIT) load, each in a namespace of its own.
    pub audits: Vec<Process>,
    /// Whether secure execution applied: the entry has set-uid or set-gid bits or file capabilities.
    pub secure: bool,
}

impl Process {
    /// What was asked for: the entry, or the plug-in that was opened.
    pub fn subject(&self) -> &Loaded {
        &self.loaded[self.inherited.min(self.loaded.len() - 1)]
    }

    /// An object to be changed: one that is shared with a host becomes this process's own.
    fn object_mut(&mut self, at: usize) -> &mut Loaded {
        Rc::make_mut(&mut self.loaded[at])
    }

    /// Whether everything was found and nothing would make the process die.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.faults.is_empty()
    }
}
