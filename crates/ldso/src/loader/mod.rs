//! Loaders: computes what the root's own loader would load for a program, without running it.
//!
//! One call of [`load`] covers one process. The rules are those of the real loaders, taken from their sources and
//! tested against them (`tests/loader_laws.rs`); glibc and musl have a file each. Every search records its steps, so
//! that a missing library can be explained.

mod binding;
mod cache;
mod candidate;
mod conf;
mod constants;
mod diagnose;
mod glibc;
mod lists;
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
pub use constants::{Family, LoaderConstants};
pub use diagnose::{Cause, Diagnosis, LibraryNames, diagnose};
pub use machine::CPU_LEVELS;
pub use objects::{Objects, Read};
pub use process::{load, open};
pub use search::{Found, FoundBy, Outcome, Search, Step, Via};

use crate::elf::{ElfObject, WantKind};
use slimroot_rootfs::path::RootPath;

/// The cache of glibc; the path is compiled in.
pub const CACHE_PATH: &[u8] = b"/etc/ld.so.cache";
/// The preload list of glibc.
pub const PRELOAD_PATH: &[u8] = b"/etc/ld.so.preload";

/// Properties of a process that its loader uses: those of the image, not of this machine.
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
    /// The best CPU level that may be assumed, such as `x86-64-v3`; `None` for the baseline.
    pub cpu: Option<String>,
    /// The loader used to resolve a plug-in, which has no interpreter.
    pub interpreter: Option<Vec<u8>>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { library_path: None, preload: None, audit: None, cwd: RootPath::root(), cpu: None, interpreter: None }
    }
}

/// The role of an object in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The requested program.
    Entry,
    /// The loader.
    Interpreter,
    /// The PT_INTERP that only launches the real loader (gcompat); it is gone once the program runs.
    Shim,
    /// Preloaded through a variable or file.
    Preload,
    /// Loaded as a dependency.
    Library,
    /// Opened in a running process, as with dlopen.
    Plugin,
}

/// An object in the process.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The path as the loader composed it, not normalised.
    pub path: Vec<u8>,
    /// The real path in the root.
    pub real: RootPath,
    /// The parsed file.
    pub elf: Arc<ElfObject>,
    /// Its role in the process.
    pub role: Role,
    /// The object that caused it to be loaded first: an index into the process, always smaller than its own.
    pub loader: Option<usize>,
    /// Its dependencies in file order, each with its result.
    pub needs: Vec<Need>,
    identity: (u64, u64),
    /// Names that it matches besides its SONAME; for musl at most one, the short name.
    names: Vec<Vec<u8>>,
}

impl Loaded {
    /// DT_SONAME, or the file name if there is none.
    pub fn name(&self) -> &[u8] {
        self.elf.soname.as_deref().unwrap_or_else(|| self.real.name())
    }

    /// Every name that it matches.
    fn all_names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice).chain(self.elf.soname.as_deref())
    }
}

/// A dependency of an object and its result.
#[derive(Clone, Debug)]
pub struct Need {
    /// The name as written.
    pub name: Vec<u8>,
    /// The tag that declares it.
    pub kind: WantKind,
    /// The result.
    pub answer: Answer,
}

/// The result of resolving a dependency.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An object of the process.
    Object {
        /// Its index.
        index: usize,
        /// The way in which it was found.
        by: FoundBy,
        /// The directory element through which it was found.
        via: Option<Via>,
    },
    /// The kernel's vDSO.
    Vdso,
    /// A missing DT_AUXILIARY, which is not an error.
    Absent,
    /// Missing: an index into [`Process::missing`].
    Missing(usize),
}

/// A missing dependency.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The name as written.
    pub name: Vec<u8>,
    /// The object that needs it: an index into [`Process::loaded`].
    pub needed_by: usize,
    /// All steps of the search.
    pub search: Search,
}

impl Missing {
    /// The reason, in one word.
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

/// A problem, other than a missing file, that makes the process fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class of the defect.
    pub class: &'static str,
    /// The file with the defect.
    pub path: Vec<u8>,
    /// Description in one sentence.
    pub says: String,
}

/// A file that a better CPU would load instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The requested name.
    pub name: Vec<u8>,
    /// The CPU level.
    pub level: String,
    /// The file it would load.
    pub path: Vec<u8>,
}

/// A file, other than an object, that the loader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// `/etc/ld.so.cache`, if a search used it.
    Cache,
    /// `/etc/ld.so.preload`.
    PreloadList,
    /// musl's file with the system path.
    PathFile,
}

/// Everything that one process loads at start-up.
#[derive(Clone, Debug)]
pub struct Process {
    /// PT_INTERP as written.
    pub interpreter: Option<Vec<u8>>,
    /// Build-time constants of the loader, if there is one.
    pub constants: Option<Rc<LoaderConstants>>,
    /// Objects in load order: first the entry, then its interpreter. A plug-in shares the objects of its host.
    pub loaded: Vec<Rc<Loaded>>,
    /// Number of objects in `loaded` that belong to the host in which a plug-in was opened.
    pub inherited: usize,
    /// Dependencies that are missing.
    pub missing: Vec<Missing>,
    /// Problems that make the process fail.
    pub faults: Vec<Fault>,
    /// Problems that the loader reports but survives: failing preloads, malformed lists.
    pub warnings: Vec<Fault>,
    /// Files that better CPUs would load.
    pub variants: Vec<Variant>,
    /// Files, other than objects, that the loader reads, with their paths.
    pub reads: Vec<(Reads, Vec<u8>)>,
    /// Audit libraries (LD_AUDIT, DT_AUDIT, DT_DEPAUDIT), each with the objects that it loads in its own namespace.
    pub audits: Vec<Process>,
    /// True in secure-execution mode: the entry has set-uid or set-gid bits or file capabilities.
    pub secure: bool,
}

impl Process {
    /// The requested object: the entry, or the plug-in that was opened.
    pub fn subject(&self) -> &Loaded {
        &self.loaded[self.inherited.min(self.loaded.len() - 1)]
    }

    /// A mutable object; one that is shared with a host is cloned first.
    fn object_mut(&mut self, at: usize) -> &mut Loaded {
        Rc::make_mut(&mut self.loaded[at])
    }

    /// True if everything was found and nothing makes the process fail.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.faults.is_empty()
    }
}
