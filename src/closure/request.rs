//! The input of a closure.

use std::collections::BTreeMap;

use crate::loader::Conditions;
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::RootGlob;
use crate::trust::Authority;

/// PATH of an image for which the user sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Objects whose packages are packed with their helpers, plug-ins, data and configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Companions {
    /// None.
    #[default]
    None,
    /// The programs that surely run.
    Entry,
    /// Every program, and every library that it loads.
    All,
}

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The program that the image starts: a path in the root, or a bare name that is looked up in PATH.
    pub entry: String,
    /// Its fixed arguments.
    pub args: Vec<String>,
    /// Further programs that the entry starts.
    pub bins: Vec<String>,
    /// Environment of the image: PATH, LD_LIBRARY_PATH and LD_PRELOAD count here.
    pub env: BTreeMap<String, String>,
    /// Working directory of the image; `None` is `/`.
    pub workdir: Option<RootPath>,
    /// Only resolves what loaders do at the start of the entry and of each `bins`: [`super::Closure::processes`] is all
    /// that is wanted.
    pub processes_only: bool,
    /// Files and directories that are placed elsewhere in the image: from, to.
    pub copies: Vec<(RootPath, RootPath)>,
    /// Patterns of files to add.
    pub include: Vec<RootGlob>,
    /// Patterns of files that neither patterns nor profiles add.
    pub exclude: Vec<RootGlob>,
    /// Packages of the root's database to add.
    pub packages: Vec<String>,
    /// Profiles to apply.
    pub profiles: Vec<Profile>,
    /// Authorities that the image trusts besides those of the root.
    pub authorities: Vec<Authority>,
    /// Objects whose packages are packed with them.
    pub companions: Companions,
    /// Profiles whose files companions leave to them, applied or not.
    pub known: Vec<Profile>,
    /// Profiles that are applied if their triggers fire.
    pub automatic: Vec<Profile>,
    /// Directories of the root that something made replaces, with the reason.
    pub stand_ins: BTreeMap<RootPath, String>,
    /// The best CPU level to count on; `None` packs for every CPU.
    pub cpu: Option<String>,
    /// The loader for plug-ins that name none.
    pub interpreter: Option<Vec<u8>>,
    /// Ids of rules that are left out (`--no-rule`).
    pub no_rules: Vec<String>,
}

impl Request {
    /// The circumstances in which the loader of the entry looks for libraries.
    pub fn conditions(&self) -> Conditions {
        let cwd = self.workdir.clone().unwrap_or_else(RootPath::root);
        self.conditions_of(&self.env, &cwd)
    }

    /// The circumstances in which the loader of a program looks for libraries, given its environment and working
    /// directory. The only place where the three meet.
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
