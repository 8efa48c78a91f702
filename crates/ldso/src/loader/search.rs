//! A search and its steps. The explanation is recorded during the search, not reconstructed afterwards.

use std::borrow::Cow;

use slimroot_rootfs::path::{RootPath, show};
use slimroot_rootfs::root::Meta;

/// The way in which a dependency was found: the word that `deps` prints.
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
    /// An object that is already in the process.
    Loaded,
    /// The loader itself.
    Interpreter,
    /// LD_PRELOAD or `/etc/ld.so.preload`.
    Preload,
    /// The kernel's vDSO.
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

/// The result of one step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The file is used.
    Taken,
    /// The file does not exist or cannot be opened.
    NoFile,
    /// The file exists, but the loader ignores it.
    Skipped(Cow<'static, str>),
    /// The file exists, and the loader fails because of it.
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
            Self::Fatal(why) => write!(f, "the loader aborts: {why}"),
            Self::EndsList(why) => write!(f, "ends this list: {why}"),
            Self::NotConsulted(why) => write!(f, "not consulted: {why}"),
        }
    }
}

/// One step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The source of the candidate.
    pub source: FoundBy,
    /// The file that was tried, as the loader composes it; empty if the source was not consulted at all.
    pub candidate: Vec<u8>,
    /// The result.
    pub outcome: Outcome,
}

/// The directory element through which a file was found, and its owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// The element as written, before token expansion.
    pub element: Vec<u8>,
    /// The path of the object whose list contains the element; `None` for the environment, the cache and the loader's
    /// defaults.
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

/// The file that a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The path as the loader composed it.
    pub path: Vec<u8>,
    /// The real path in the root.
    pub real: RootPath,
    /// Its metadata.
    pub meta: Meta,
    /// The source through which it was found.
    pub by: FoundBy,
    /// The directory element through which it was found.
    pub via: Option<Via>,
}

/// A search with all of its steps in order.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The steps.
    pub steps: Vec<Step>,
    /// The result.
    pub found: Option<Found>,
    /// If a candidate made the loader fail: its path, and the reason.
    pub fatal: Option<(Vec<u8>, String)>,
}

impl Search {
    pub(super) fn skip_source(&mut self, source: FoundBy, why: impl Into<Cow<'static, str>>) {
        self.steps.push(Step { source, candidate: Vec::new(), outcome: Outcome::NotConsulted(why.into()) });
    }

    pub(super) fn step(&mut self, source: FoundBy, candidate: &[u8], outcome: Outcome) {
        self.steps.push(Step { source, candidate: candidate.to_vec(), outcome });
    }

    /// True if the search has ended, successfully or not.
    pub(super) fn is_over(&self) -> bool {
        self.found.is_some() || self.fatal.is_some()
    }
}
