//! The closure: everything that is in the image, each path with the reasons for it.
//!
//! A [`Request`] goes in, a [`Closure`] comes out. In between, `worklist` hands facts to `rules`, which answer with
//! demands, until no rule has anything to do; `seal` does the few steps that need everything else to be known.

mod bytecode;
mod claims;
mod demand;
mod graph;
mod launch;
mod process;
mod reason;
mod request;
mod rules;
mod runtime;
mod script;
mod seal;
mod signs;
mod state;
mod told;
mod why;
mod worklist;

use std::collections::{BTreeMap, BTreeSet};

pub use bytecode::Pyc;
pub use graph::{Edge, Graph, NodeKind};
pub use process::Started;
pub use reason::Reason;
pub use request::{Companions, DEFAULT_PATH, Request};
pub use rules::{RuleId, pages as rule_pages};
pub use runtime::JavaRuntime;
pub use seal::Suggested;
pub use told::Note;
pub use why::Link;

use self::request::path_of;
use self::signs::Sign;
use self::worklist::Worklist;
use crate::elf::DlopenNote;
use crate::error::Error;
use crate::language::{Absent, Unstarted};
use crate::loader::{Conditions, Objects};
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::Root;
use crate::trust::Authority;
use crate::world::World;

/// A program that the image starts.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A profile that was applied by itself.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Fired {
    /// Its name.
    pub profile: String,
    /// The evidence: which object, and what of it.
    pub because: String,
    /// Files that are in the image because of it alone.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Everything that is in the image and why.
#[derive(Default)]
pub struct Closure {
    /// The programs that the image starts: first the entry, then each `--bin`.
    pub entries: Vec<EntryPoint>,
    /// Paths with the reasons for each.
    pub graph: Graph,
    /// The processes behind them.
    pub processes: Vec<Started>,
    /// Rules of profiles and patterns that found nothing.
    pub unmatched: Vec<Unmatched>,
    /// Files that configuration names and that are missing.
    pub unconfigured: Vec<Unconfigured>,
    /// Environment that profiles give where the user gives none.
    pub env: BTreeMap<String, String>,
    /// Profiles that were applied by themselves.
    pub fired: Vec<Fired>,
    /// Included ELF files of other machines than the entry's: packed, but not resolved.
    pub foreign: BTreeSet<RootPath>,
    /// Symlinks among the files asked for that lead nowhere.
    pub dangling: BTreeSet<RootPath>,
    /// Devices, sockets and pipes among the files asked for, which are not packed.
    pub not_packed: BTreeSet<RootPath>,
    /// Authorities of the request that were put into the trust store.
    pub authorities: Vec<Authority>,
    /// Commands of scripts that lead nowhere.
    pub unstarted: Vec<Unstarted>,
    /// Applications that commands name and that are missing.
    pub absent: Vec<Absent>,
    /// Decisions that the user should know.
    pub notes: Vec<Note>,
    /// What could not be made by running programs of the root.
    pub unmade: Vec<Unmade>,
    /// Libraries that `.note.dlopen` notes name and that were not found, with the object that opens them.
    pub unopened: Vec<(RootPath, DlopenNote)>,
    /// Libraries that packed ones name and may open, and that are not packed.
    pub suggested: Vec<Suggested>,
    /// The circumstances in which the entry was resolved.
    pub conditions: Conditions,
    /// The number of the CPU level that is counted on: 1 is the baseline of x86-64.
    pub cpu_level: u32,
    /// Directories that languages and applications claim.
    claimed: BTreeSet<RootPath>,
}

impl Closure {
    /// Finds everything that the request needs.
    ///
    /// Missing libraries and the like are not errors here: they are kept in [`Closure::processes`], and
    /// [`crate::check`] makes findings of them.
    ///
    /// # Errors
    /// `entry-missing`, `entry-is-directory`, `entry-not-regular`, `not-elf`, `bad-elf`, `bad-shebang`,
    /// `interpreter-missing` (of a script), `unreadable`.
    pub fn build(objects: &Objects<'_>, request: &Request) -> Result<Self, Error> {
        let mut worklist = Worklist::new(World::new(objects), request);
        worklist.entry(&request.entry, &request.args, Reason::Entry)?;
        for bin in &request.bins {
            worklist.entry(bin, &[], Reason::Bin)?;
        }
        if request.processes_only {
            return Ok(seal::processes(worklist.state));
        }
        worklist.run()?;
        seal::seal(worklist.state)
    }

    /// The files that one profile takes of a root, without any entry.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn of_profile(root: &Root, profile: &Profile) -> Result<Self, Error> {
        let request = Request { profiles: vec![profile.clone()], ..Request::default() };
        let objects = Objects::new(root);
        let mut worklist = Worklist::new(World::new(&objects), &request);
        worklist.run()?;
        seal::seal(worklist.state)
    }

    /// The reasons for a path.
    pub fn reasons(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        self.graph.reasons(path)
    }
}
