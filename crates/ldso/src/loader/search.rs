//! A search and its trail. The explanation is made while searching, not by a second search.

use std::borrow::Cow;

use slimroot_rootfs::path::{RootPath, show};
use slimroot_rootfs::root::Meta;

/// How a want was answered: the word that `deps` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// DT_RPATH of the requester or of its loader chain.
    Rpath,
    /// LD_LIBRARY_PATH.
    LdLibraryPath,
    /// DT_RUNPATH.
    Runpath,
    /// `/etc/ld.so.cache`.
    Cache,
    /// The default directories of the loader.
    Default,
    /// The name is a path.
    Direct,
    /// An object already in the process answers.
    Loaded,
    /// The loader itself answers.
    Interpreter,
    /// LD_PRELOAD or `/etc/ld.so.preload` had it loaded.
    Preload,
    /// The kernel's own object answers.
    Vdso,
    /// musl's system path.
    #[serde(rename = "musl-path")]
    MuslPath,
}

impl FoundBy {
    /// The word as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rpath => "rpath",
            Self::LdLibraryPath => "ld_library_path",
            Self::Runpath => "runpath",
            Self::Cache => "cache",
            Self::Default => "default",
            Self::Direct => "direct",
            Self::Loaded => "loaded",
            Self::Interpreter => "interpreter",
            Self::Preload => "preload",
            Self::Vdso => "vdso",
            Self::MuslPath => "musl-path",
        }
    }
}

/// What became of one place that was, or was not, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file there answers.
    Taken,
    /// Nothing is there, or nothing that may be opened.
    NoFile,
    /// A file is there, and the loader passes over it.
    Skipped(Cow<'static, str>),
    /// A file is there, and the loader dies of it.
    Fatal(Cow<'static, str>),
    /// An open error that ends the list of directories.
    EndsList(Cow<'static, str>),
    /// The source was not consulted.
    NotConsulted(Cow<'static, str>),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken => f.write_str("found"),
            Self::NoFile => f.write_str("no such file"),
            Self::Skipped(why) => write!(f, "passed over: {why}"),
            Self::Fatal(why) => write!(f, "the loader dies of it: {why}"),
            Self::EndsList(why) => write!(f, "ends this list: {why}"),
            Self::NotConsulted(why) => write!(f, "not consulted: {why}"),
        }
    }
}

/// One step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where the place comes from.
    pub source: FoundBy,
    /// The file tried, as the loader composes it; empty if the source as a whole was not consulted.
    pub candidate: Vec<u8>,
    /// What became of it.
    pub outcome: Outcome,
}

/// The directory element that led to a find, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The element as written, before tokens were expanded.
    pub element: Vec<u8>,
    /// Path of the object whose list it stands in; `None` for the environment, the cache and the loader's own.
    pub whose: Option<Vec<u8>>,
}

impl std::fmt::Display for Via {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.whose {
            Some(whose) => write!(f, "{} of {}", show(&self.element), show(whose)),
            None => f.write_str(&show(&self.element)),
        }
    }
}

/// The file that a search ended at.
#[derive(Clone, Debug)]
pub struct Found {
    /// The path as the loader composed it.
    pub path: Vec<u8>,
    /// The real path in the root.
    pub real: RootPath,
    /// What is there.
    pub meta: Meta,
    /// Which source led to it.
    pub by: FoundBy,
    /// Which directory element.
    pub via: Option<Via>,
}

/// A search with everything that was tried, in order.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The steps.
    pub steps: Vec<Step>,
    /// Where it ended.
    pub found: Option<Found>,
    /// Set if a candidate made the loader give up: path, and why.
    pub fatal: Option<(Vec<u8>, String)>,
}

impl Search {
    pub(super) fn skip_source(&mut self, source: FoundBy, why: impl Into<Cow<'static, str>>) {
        self.steps.push(Step { source, candidate: Vec::new(), outcome: Outcome::NotConsulted(why.into()) });
    }

    pub(super) fn step(&mut self, source: FoundBy, candidate: &[u8], outcome: Outcome) {
        self.steps.push(Step { source, candidate: candidate.to_vec(), outcome });
    }

    /// Whether the search is over, well or badly.
    pub(super) fn is_over(&self) -> bool {
        self.found.is_some() || self.fatal.is_some()
    }
}
