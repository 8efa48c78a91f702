//! The input of a closure.

use std::collections::BTreeMap;

use crate::loader::Conditions;
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::RootGlob;
use crate::trust::Authority;
use crate::watch::Trace;

/// PATH of an image for which the user sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Objects whose packages are packed too, with their helpers, plug-ins, data and configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Companions {
    /// None.
    #[default]
    None,
    /// Programs that certainly run.
    Entry,
    /// Every program, and every library that it loads.
    All,
}

/// The Python sources for which bytecode is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pyc {
    /// None.
    #[default]
    None,
    /// Those that the entry loads during a trial start.
    Used,
    /// All in the image.
    All,
}

impl Pyc {
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::None => "--pyc none",
            Self::Used => "--pyc used",
            Self::All => "--pyc all",
        }
    }
}

/// The user's request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The program that the image starts: a path in the root, or a bare name to look up in PATH.
    pub entry: String,
    /// Its fixed arguments.
    pub args: Vec<String>,
    /// Further programs that the entry starts.
    pub bins: Vec<String>,
    /// The command of the image's health check with its arguments. If it cannot be started, the check
    /// `healthcheck-missing` says so.
    pub healthcheck: Option<Vec<String>>,
    /// True if the health check starts slimroot's own probe, which is packed.
    pub packs_probe: bool,
    /// Environment of the image; PATH, LD_LIBRARY_PATH and LD_PRELOAD affect the search.
    pub env: BTreeMap<String, String>,
    /// Working directory of the image; `None` is `/`.
    pub workdir: Option<RootPath>,
    /// Only resolves the start-up of the entry and of each of `bins`, for callers that use only
    /// [`super::Closure::processes`].
    pub processes_only: bool,
    /// Files and directories to place elsewhere in the image: source and destination.
    pub copies: Vec<(RootPath, RootPath)>,
    /// Runs that were watched: what they have used is added.
    pub traces: Vec<std::sync::Arc<Trace>>,
    /// Patterns of files to add.
    pub include: Vec<RootGlob>,
    /// Patterns of files that neither patterns nor profiles may add.
    pub exclude: Vec<RootGlob>,
    /// Packages of the root's database to add.
    pub packages: Vec<String>,
    /// Profiles to apply.
    pub profiles: Vec<Profile>,
    /// Certificate authorities that the image trusts in addition to those of the root.
    pub authorities: Vec<Authority>,
    /// Objects whose packages are packed too.
    pub companions: Companions,
    /// Profiles whose files are not packed as companions, even if the profile is not applied.
    pub known: Vec<Profile>,
    /// Profiles that are applied if their triggers fire.
    pub automatic: Vec<Profile>,
    /// Directories of the root that are replaced by generated ones, each with the reason.
    pub stand_ins: BTreeMap<RootPath, String>,
    /// The best CPU level that may be assumed; `None` packs for every CPU.
    pub cpu: Option<String>,
    /// The loader for plug-ins, which name none.
    pub interpreter: Option<Vec<u8>>,
    /// Python sources for which the root's own interpreter makes bytecode.
    pub pyc: Pyc,
    /// True if no shell is packed, whoever asks for it.
    pub no_shell: bool,
    /// Ids of disabled rules (`--no-rule`).
    pub no_rules: Vec<String>,
}

impl Request {
    /// The loader conditions of the entry.
    pub fn conditions(&self) -> Conditions {
        let cwd = self.workdir.clone().unwrap_or_else(RootPath::root);
        self.conditions_of(&self.env, &cwd)
    }

    /// The loader conditions of a program with this environment and working directory. This is the only place that
    /// combines them with the request.
    pub(super) fn conditions_of(&self, env: &BTreeMap<String, String>, cwd: &RootPath) -> Conditions {
        let bytes = |name: &str| env.get(name).map(|value| value.clone().into_bytes());
        Conditions {
            library_path: bytes("LD_LIBRARY_PATH"),
            preload: bytes("LD_PRELOAD"),
            audit: bytes("LD_AUDIT"),
            cwd: cwd.clone(),
            cpu: self.cpu.clone(),
            interpreter: self.interpreter.clone(),
        }
    }

    /// PATH of the image.
    pub fn path(&self) -> &str {
        path_of(&self.env)
    }
}

/// PATH of an environment.
pub(super) fn path_of(env: &BTreeMap<String, String>) -> &str {
    env.get("PATH").map_or(DEFAULT_PATH, String::as_str)
}
