//! The closure: everything that is in the image, each path with the reasons for it.
//!
//! The only way in is `Closure::take` and its kin, and each takes a reason. The one loop is in `build`: entries to
//! processes, processes to files, then what the user and the profiles add.

mod automatic;
mod build;
mod bytecode;
mod call;
mod clues;
mod commanded;
mod companions;
mod configured;
mod declared;
mod delegated;
mod kin;
mod named_paths;
mod narrowed;
mod nss;
mod open;
mod probes;
mod query;
mod reason;
mod records;
mod runtime;
mod script;
mod strings;
mod suggested;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use automatic::Fired;
pub use bytecode::Pyc;
pub use query::Link;
pub use reason::Reason;
pub use runtime::JavaRuntime;
pub use suggested::Suggested;

use crate::elf::DlopenNote;
use crate::error::Error;
use crate::language::{Absent, Unstarted};
use crate::loader::{Conditions, Process};
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::{FileKind, Meta, Root, RootGlob};
use crate::trust::Authority;

/// Where programs are looked up if the user says nothing: the PATH of the image.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whose packages bring what else came with them: helpers, plug-ins, data, configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Companions {
    /// Nobody's.
    #[default]
    None,
    /// Those of the entries.
    Entry,
    /// Those of the entries, and of every library that they load.
    All,
}

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What the image starts: a path in the root, or a bare name looked up in PATH.
    pub entry: String,
    /// Its fixed arguments.
    pub args: Vec<String>,
    /// Programs that the entry starts.
    pub bins: Vec<String>,
    /// Environment of the image: PATH, LD_LIBRARY_PATH and LD_PRELOAD count here.
    pub env: BTreeMap<String, String>,
    /// Working directory of the image; `None` is `/`.
    pub workdir: Option<RootPath>,
    /// Only resolves what loaders do at the start: [`Closure::processes`] is all that is wanted.
    pub processes_only: bool,
    /// Files and directories that are placed elsewhere in the image: from, to.
    pub copies: Vec<(RootPath, RootPath)>,
    /// Patterns of files to add.
    pub include: Vec<RootGlob>,
    /// Patterns of what is not added by patterns or profiles.
    pub exclude: Vec<RootGlob>,
    /// Packages of the root's database to add.
    pub packages: Vec<String>,
    /// Profiles to apply.
    pub profiles: Vec<Profile>,
    /// Authorities that the image trusts besides those of the root.
    pub authorities: Vec<Authority>,
    /// Whose packages bring their files.
    pub companions: Companions,
    /// Profiles whose files companions leave alone, applied or not.
    pub known: Vec<Profile>,
    /// Profiles that are applied if their signs are there.
    pub automatic: Vec<Profile>,
    /// Directories of the root in whose place something made stands, with what made it.
    pub stand_ins: BTreeMap<RootPath, String>,
    /// The best CPU level to count on; `None` packs for every CPU.
    pub cpu: Option<String>,
    /// The loader for plug-ins without one.
    pub interpreter: Option<Vec<u8>>,
}

impl Request {
    /// The circumstances in which loaders of the image look for libraries.
    pub fn conditions(&self) -> Conditions {
        let bytes = |name: &str| self.env.get(name).map(|value| value.clone().into_bytes());
        Conditions {
            library_path: bytes("LD_LIBRARY_PATH"),
            preload: bytes("LD_PRELOAD"),
            audit: bytes("LD_AUDIT"),
            cwd: self.workdir.clone().unwrap_or_else(RootPath::root),
            cpu: self.cpu.clone(),
            interpreter: self.interpreter.clone(),
        }
    }

    /// PATH of the image.
    pub fn path(&self) -> &str {
        self.env.get("PATH").map_or(DEFAULT_PATH, String::as_str)
    }
}

/// Something in the image.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A file of the root.
    File(Meta),
    /// A directory of the root.
    Dir(Meta),
    /// A link of the root, with its text.
    Link(Meta, Vec<u8>),
    /// A file that is made.
    MadeFile {
        /// Permission bits.
        mode: u32,
        /// Content.
        bytes: Arc<[u8]>,
    },
    /// A directory that is made.
    MadeDir {
        /// Permission bits.
        mode: u32,
        /// Owner and group.
        owner: (u32, u32),
    },
}

impl NodeKind {
    /// Bytes of content.
    pub fn size(&self) -> u64 {
        match self {
            Self::File(meta) => meta.size,
            Self::MadeFile { bytes, .. } => bytes.len() as u64,
            _ => 0,
        }
    }
}

/// One reason for one path.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Who asks; `None` if it is the user or a profile.
    pub from: Option<RootPath>,
    /// What is asked for.
    pub to: RootPath,
    /// Why.
    pub reason: Reason,
}

/// A process that was resolved, and how much it matters that it is whole.
#[derive(Clone, Debug)]
pub struct Started {
    /// What runs.
    pub process: Process,
    /// Whether a library it misses fails the build: true for entries and what they run by `#!`, false for files that
    /// a pattern brought in, which may never be loaded.
    pub required: bool,
    /// Whether it is a program that a call may start, such as one that a word names: what it imports says less of the
    /// image than what the entry does, and what it surely starts.
    pub is_command: bool,
}

/// What the image starts, found.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    /// As asked for.
    pub asked: String,
    /// Its fixed arguments.
    pub args: Vec<String>,
    /// The path in the image by which it is called.
    pub path: RootPath,
    /// The real file.
    pub real: RootPath,
}

/// A rule of a profile that found nothing.
#[derive(Clone, Debug)]
pub struct Unmatched {
    /// The profile or `--include`.
    pub who: String,
    /// What it wanted, in its own words.
    pub what: String,
    /// Whether this is an error, a warning, or nothing.
    pub need: crate::profile::Need,
}

/// What configuration names and the root does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconfigured {
    /// The configuration file.
    pub file: RootPath,
    /// The line.
    pub line: usize,
    /// The statement.
    pub says: String,
    /// Where it was looked for first.
    pub path: Vec<u8>,
    /// Whether this is an error or a warning.
    pub need: crate::profile::Need,
}

/// What running a program of the root should have made and did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmade {
    /// What was asked for, as an option.
    pub what: String,
    /// Why there is none, in a clause.
    pub why: String,
}

/// Everything that is in the image and why.
#[derive(Default)]
pub struct Closure {
    /// What the image starts, first the entry, then each `--bin`.
    pub entries: Vec<EntryPoint>,
    /// Paths, all real: no link lies above any of them.
    pub nodes: BTreeMap<RootPath, NodeKind>,
    /// Reasons in the order in which they were found.
    pub edges: Vec<Edge>,
    /// The processes behind them.
    pub processes: Vec<Started>,
    /// Rules and patterns that found nothing.
    pub unmatched: Vec<Unmatched>,
    /// Files that configuration names and that are not there.
    pub unconfigured: Vec<Unconfigured>,
    /// Environment that profiles give where the user gives none.
    pub env: BTreeMap<String, String>,
    /// Profiles that were applied by themselves.
    pub fired: Vec<Fired>,
    /// Included ELF files of other machines than the entry's: packed, but not resolved.
    pub foreign: BTreeSet<RootPath>,
    /// Links among the files asked for that lead nowhere.
    pub dangling: BTreeSet<RootPath>,
    /// Devices, sockets and pipes among the files asked for, which are not packed.
    pub not_packed: BTreeSet<RootPath>,
    /// Authorities of the request that were put into the trust store.
    pub authorities: Vec<Authority>,
    /// Programs that calls start.
    pub commands: BTreeSet<RootPath>,
    /// Modules that configuration names: the process has them like what it needs by itself.
    named_modules: BTreeSet<RootPath>,
    /// Profiles that a language asks for, with the sign of each.
    wanted: BTreeMap<&'static str, clues::Sign>,
    /// Directories that a language has taken with rules of its own: nobody else adds to them.
    homes: Vec<RootPath>,
    /// Commands of scripts that lead nowhere.
    pub unstarted: Vec<Unstarted>,
    /// Applications that calls name and that are not there.
    pub absent: Vec<Absent>,
    /// What was decided on the way, to be told to the user.
    pub notes: Vec<String>,
    /// What could not be made by running programs of the root.
    pub unmade: Vec<Unmade>,
    /// Libraries that `.note.dlopen` notes name and that were not found, with the object that opens them.
    pub unopened: Vec<(RootPath, DlopenNote)>,
    /// Libraries that packed ones name and may open, and that are not packed.
    pub suggested: Vec<Suggested>,
    /// The circumstances in which everything was resolved.
    pub conditions: Conditions,
    /// The number of the CPU level that is counted on: 1 is the baseline of x86-64.
    pub cpu_level: u32,
    /// Edges by what they lead to.
    reached: BTreeMap<RootPath, Vec<usize>>,
}

impl Closure {
    /// Adds the file or directory that a path leads to, with every link on the way; gives its real path.
    ///
    /// # Errors
    /// `unreadable`.
    fn take(
        &mut self,
        root: &Root,
        from: Option<&RootPath>,
        cwd: &RootPath,
        path: &[u8],
        reason: Reason,
    ) -> Result<Option<RootPath>, Error> {
        let followed = root.follow_from(cwd, path)?;
        // Whoever asks for the path needs each link on its way, not the links each other: one such as /lib lies on the
        // way to many files.
        let from = from.cloned();
        for dir in &followed.passed {
            if let Some(meta) = root.meta(dir)?.filter(|meta| meta.kind == FileKind::Dir) {
                let passed = Reason::PassedThrough { path: path.to_vec() };
                self.add(from.clone(), dir.clone(), NodeKind::Dir(meta), passed);
            }
        }
        for hop in &followed.hops {
            if let Some(meta) = root.meta(&hop.link)? {
                let on_the_way = Reason::Hop { path: path.to_vec(), to: Box::new(reason.clone()) };
                self.add(from.clone(), hop.link.clone(), NodeKind::Link(meta, hop.text.clone()), on_the_way);
            }
        }
        let Some((real, meta)) = followed.found() else { return Ok(None) };
        let kind = match meta.kind {
            FileKind::File => NodeKind::File(*meta),
            FileKind::Dir => NodeKind::Dir(*meta),
            FileKind::Link | FileKind::Other => {
                self.not_packed.insert(real.clone());
                return Ok(None);
            }
        };
        self.add(from, real.clone(), kind, reason);
        Ok(Some(real.clone()))
    }

    /// Adds one path with its reason. What the root has goes before what is made, the first reason is the one shown.
    fn add(&mut self, from: Option<RootPath>, to: RootPath, kind: NodeKind, reason: Reason) {
        self.nodes.entry(to.clone()).or_insert(kind);
        let known = self.reached.entry(to.clone()).or_default();
        let is_known = |at: &usize| self.edges[*at].from == from && self.edges[*at].reason.is_like(&reason);
        // The latest first: a requester's reasons come one after the other.
        if !known.iter().rev().any(is_known) {
            known.push(self.edges.len());
            self.edges.push(Edge { from, to, reason });
        }
    }

    /// The reasons for a path, in the order in which they were found.
    pub fn reasons(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        self.reached.get(path).into_iter().flatten().map(|at| &self.edges[*at])
    }
}
