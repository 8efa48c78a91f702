//! The closure: everything in the image, each path with its reasons.
//!
//! The input is a [`Request`], the result a [`Closure`]. In between, `worklist` passes facts to `rules`, which answer
//! with demands, until no rule has anything left to do. `seal` runs the few steps that require everything else to be
//! known.

mod claims;
mod contents;
mod demand;
mod graph;
mod launch;
mod message;
mod probe;
mod process;
mod reason;
mod request;
mod rules;
mod runtime;
mod script;
mod seal;
mod signs;
mod state;
mod why;
mod worklist;

use std::collections::{BTreeMap, BTreeSet};

pub use graph::{Cause, Edge, Graph, NodeKind, Nodes};
pub use message::Note;
pub use process::Started;
pub use reason::Reason;
pub use request::{Companions, DEFAULT_PATH, Pyc, Request};
pub use rules::{RuleId, is_optional, pages as rule_pages};
pub use runtime::JavaRuntime;
pub use seal::Suggested;
pub use why::Link;
pub use worklist::Workshop;

use self::request::path_of;
use self::signs::Sign;
use self::worklist::Worklist;
use crate::elf::DlopenNote;
use crate::error::Error;
use crate::language::{MissingApplication, MissingModule, UnresolvedCommand};
use crate::loader::Objects;
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::Root;
use crate::trust::Authority;
use crate::world::World;

/// A program that the image starts.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    /// As requested by the user.
    pub asked: String,
    /// Its fixed arguments.
    pub args: Vec<String>,
    /// The path in the image through which it is called.
    pub path: RootPath,
    /// The real file.
    pub real: RootPath,
}

/// A rule of a profile that found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unmatched {
    /// The profile or `--include`.
    pub who: String,
    /// The rule's description of the files.
    pub what: String,
    /// Severity: error, warning or none.
    pub need: crate::profile::Need,
}

/// A path in a configuration file that the root does not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unconfigured {
    /// The configuration file.
    pub file: RootPath,
    /// The line.
    pub line: usize,
    /// The statement.
    pub says: String,
    /// The first path that was tried.
    pub path: Vec<u8>,
    /// Severity: error or warning.
    pub need: crate::profile::Need,
}

/// Output that a program of the root should have produced but did not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unmade {
    /// The option that requested it.
    pub what: String,
    /// The reason, as a clause.
    pub why: String,
}

/// A profile that was applied automatically.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AppliedProfile {
    /// Its name.
    pub profile: String,
    /// The evidence: the object and the property that triggered it.
    pub because: String,
    /// Number of files that are in the image only because of it.
    pub files: usize,
    /// Their total size.
    pub bytes: u64,
}

/// Everything in the image, with reasons. It is immutable.
#[derive(Default)]
pub struct Closure {
    /// The programs that the image starts: first the entry, then each `--bin`.
    pub(crate) entries: Vec<EntryPoint>,
    /// Paths with the reasons for each.
    pub(crate) graph: Graph,
    /// The users to which the entry's script changes before it starts a program.
    pub(crate) users: BTreeSet<String>,
    /// The resolved processes.
    pub(crate) processes: Vec<Started>,
    /// Rules of profiles and patterns that found nothing.
    pub(crate) unmatched: Vec<Unmatched>,
    /// Missing files that configuration files name.
    pub(crate) unconfigured: Vec<Unconfigured>,
    /// Patterns of `--exclude` that did not keep out what they match, each with the first such path.
    pub(crate) overruled: Vec<(String, RootPath, usize)>,
    /// Environment set by profiles, unless the user sets the variable.
    pub(crate) env: BTreeMap<String, String>,
    /// Profiles that were applied automatically.
    pub(crate) applied_profiles: Vec<AppliedProfile>,
    /// Included ELF files of other machines than the entry's: packed, but not resolved.
    pub(crate) foreign: BTreeSet<RootPath>,
    /// Dangling symlinks among the requested files.
    pub(crate) dangling: BTreeSet<RootPath>,
    /// Devices, sockets and pipes among the requested files, which are not packed.
    pub(crate) not_packed: BTreeSet<RootPath>,
    /// Certificate authorities of the request that were added to the trust store.
    pub(crate) authorities: Vec<Authority>,
    /// Commands of scripts that could not be resolved.
    pub(crate) unresolved: Vec<UnresolvedCommand>,
    /// Applications that commands name and that are missing.
    pub(crate) missing_applications: Vec<MissingApplication>,
    /// Extension modules that are loaded in every run, with the import that does it.
    pub(crate) imported: BTreeMap<RootPath, String>,
    /// Modules that the application imports in every run and that are missing.
    pub(crate) missing_modules: Vec<MissingModule>,
    /// Decisions that the user should know.
    pub(crate) notes: Vec<Note>,
    /// Output that programs of the root failed to produce.
    pub(crate) unmade: Vec<Unmade>,
    /// Libraries declared in `.note.dlopen` that were not found, with the object that opens them.
    pub(crate) unopened: Vec<(RootPath, DlopenNote)>,
    /// Unpacked libraries whose names packed libraries contain and which these may open.
    pub(crate) suggested: Vec<Suggested>,
    /// The assumed CPU level; 1 is the baseline of x86-64.
    pub(crate) cpu_level: u32,
    /// Directories that languages and applications claim.
    claimed: BTreeSet<RootPath>,
}

impl Closure {
    /// Finds everything that the request needs.
    ///
    /// Problems such as missing libraries are not errors here. They are kept in [`Closure::processes`], and
    /// [`crate::check`] turns them into findings.
    ///
    /// # Errors
    /// `entry-missing`, `entry-is-directory`, `entry-not-regular`, `not-elf`, `bad-elf`, `bad-shebang`,
    /// `interpreter-missing` (of a script), `probe-unsupported`, `unreadable`.
    pub fn build(objects: &Objects<'_>, request: &Request) -> Result<Self, Error> {
        Self::build_in(None, objects, request)
    }

    /// Finds everything that the request needs; programs of the root may make what the request wants made.
    ///
    /// # Errors
    /// As of [`Self::build`].
    pub fn build_in(workshop: Option<&Workshop<'_>>, objects: &Objects<'_>, request: &Request) -> Result<Self, Error> {
        let mut worklist = Worklist::new(World::new(objects), request, workshop);
        worklist.entry(&request.entry, &request.args, Reason::Entry)?;
        for bin in &request.bins {
            worklist.entry(bin, &[], Reason::Bin)?;
        }
        if request.packs_probe && !request.processes_only {
            worklist.add_probe()?;
        } else if let Some([program, args @ ..]) = request.healthcheck.as_deref() {
            match worklist.entry(program, args, Reason::Healthcheck) {
                Err(error) if error.code == "unreadable" => return Err(error),
                _ => {}
            }
        }
        if request.processes_only {
            return Ok(seal::processes(worklist.state));
        }
        worklist.run()?;
        seal::seal(worklist.state)
    }

    /// The files that one profile takes from a root, without an entry.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn of_profile(root: &Root, profile: &Profile) -> Result<Self, Error> {
        let request = Request { profiles: vec![profile.clone()], ..Request::default() };
        let objects = Objects::new(root);
        let mut worklist = Worklist::new(World::new(&objects), &request, None);
        worklist.run()?;
        seal::seal(worklist.state)
    }

    /// The programs that the image starts: first the entry, then each `--bin`.
    pub fn entries(&self) -> &[EntryPoint] {
        &self.entries
    }

    /// The paths of the image with the reasons for each.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The processes that were resolved, started ones and those of plug-ins.
    pub fn processes(&self) -> &[Started] {
        &self.processes
    }

    /// Environment set by profiles, unless the user sets the variable.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Decisions that the user should know.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Profiles that were applied automatically.
    pub fn applied_profiles(&self) -> &[AppliedProfile] {
        &self.applied_profiles
    }

    /// Applications that commands name and that are missing.
    pub fn missing_applications(&self) -> &[MissingApplication] {
        &self.missing_applications
    }

    /// Directories that languages and applications claim: they decide which files below are packed.
    pub fn claimed(&self) -> &BTreeSet<RootPath> {
        &self.claimed
    }

    /// The reasons for a path.
    pub fn reasons(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        self.graph.reasons(path)
    }
}
