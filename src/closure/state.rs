//! Everything that is known so far. Rules read it; only the worklist changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::claims::Claims;
use super::demand::{Host, Start};
use super::graph::Graph;
use super::launch::{LaunchId, Launches};
use super::process::{ProcessId, Processes, Started};
use super::rules::RuleId;
use super::signs::{Sign, Signs};
use super::told::Told;
use super::{EntryPoint, Reason, Request};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::RootPath;
use crate::profile::{EntryKind, Profile};
use crate::world::World;

/// A profile that was applied.
pub(super) struct Applied {
    pub(super) profile: String,
    pub(super) sign: Option<Sign>,
    pub(super) object: Option<RootPath>,
    pub(super) is_hidden: bool,
}

/// What is known so far.
pub(super) struct State<'a> {
    pub(super) world: Rc<World<'a>>,
    pub(super) request: &'a Request,
    pub(super) graph: Graph,
    pub(super) launches: Launches,
    pub(super) processes: Processes,
    pub(super) claims: Claims,
    pub(super) signs: Signs,
    pub(super) entries: Vec<EntryPoint>,
    /// Environment that scripts of the package manager and profiles give where the user gives none.
    pub(super) env: BTreeMap<String, String>,
    /// Profiles that launches want, with the evidence.
    pub(super) wanted: BTreeMap<&'static str, BTreeSet<Sign>>,
    pub(super) applied: Vec<Applied>,
    /// Packages whose files are packed, with the object that asks.
    pub(super) brought: Vec<(String, RootPath)>,
    /// Answers that rules need not give again.
    pub(super) done: BTreeSet<(RuleId, String)>,
    /// Included ELF files of other machines than the entry's.
    pub(super) foreign: BTreeSet<RootPath>,
    /// Symlinks among the files asked for that lead nowhere.
    pub(super) dangling: BTreeSet<RootPath>,
    /// Devices, sockets and pipes among the files asked for.
    pub(super) not_packed: BTreeSet<RootPath>,
    pub(super) unopened: Vec<(RootPath, crate::elf::DlopenNote)>,
    pub(super) told: Vec<Told>,
    /// Counts launches, processes and their rises: what depends on them is looked at again when it has grown.
    pub(super) news: u64,
}

impl State<'_> {
    /// True if the rule has given this answer before.
    pub(super) fn is_done(&self, rule: RuleId, answer: &str) -> bool {
        self.done.contains(&(rule, answer.to_owned()))
    }

    /// True if `--exclude` keeps the path out.
    pub(super) fn is_excluded(&self, path: &RootPath) -> bool {
        self.request.exclude.iter().any(|glob| glob.covers(path))
    }

    /// True if a known profile takes the path: whether it is needed is decided there.
    pub(super) fn is_known_to_a_profile(&self, path: &RootPath) -> bool {
        self.request.known.iter().flat_map(Profile::places).any(|glob| glob.covers(path))
    }

    /// Every profile of the request by its name.
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        let asked = self.request.profiles.iter().chain(&self.request.automatic).chain(&self.request.known);
        asked.into_iter().find(|profile| profile.name == name)
    }

    pub(super) fn is_applied(&self, name: &str) -> bool {
        self.applied.iter().any(|applied| applied.profile == name)
    }

    /// The process that a host stands for.
    pub(super) fn host(&self, host: &Host) -> Option<ProcessId> {
        match host {
            Host::None => None,
            Host::Main => self.processes.main(),
            Host::Process(id) => Some(*id).filter(|id| self.processes.get(*id).process.facts.is_some()),
            Host::With(object) => self.processes.with(object).or_else(|| self.processes.main()),
        }
    }

    /// Programs that are started: every process that is no plug-in.
    pub(super) fn programs(&self) -> impl Iterator<Item = &Started> {
        self.processes.as_slice().iter().filter(|started| started.required && started.program.is_none())
    }

    /// What the entry is; `None` before it is known.
    pub(super) fn entry_kind(&self) -> Option<EntryKind> {
        let entry = self.entries.first()?;
        let own = self.processes.as_slice().iter().find(|started| started.process.loaded[0].real == entry.real);
        Some(match own {
            None => EntryKind::Script,
            Some(started) if started.process.facts.is_some() => EntryKind::Dynamic,
            Some(_) => EntryKind::Static,
        })
    }

    /// The launch that runs an object: of several the surest, then the first by what is started.
    pub(super) fn starter(&self, object: &RootPath) -> Option<LaunchId> {
        let has = |id: &ProcessId| self.processes.get(*id).process.loaded.iter().any(|loaded| loaded.real == *object);
        let running = self.launches.iter().filter(|(_, launched)| launched.processes.iter().any(has));
        let best = running.min_by_key(|(_, launched)| (std::cmp::Reverse(launched.certainty), launched.launch.clone()));
        best.map(|(id, _)| id)
    }

    /// Starts a program that an object is likely to start, in the circumstances of the launch that runs the object.
    pub(super) fn start_by(&self, object: &RootPath, program: &RootPath, why: String, is_helper: bool) -> Start {
        let starter = self.starter(object);
        let (cwd, env) = match starter.map(|id| &self.launches.get(id).launch) {
            Some(launch) => (launch.cwd.clone(), Rc::clone(&launch.env)),
            None => {
                let cwd = self.request.workdir.clone().unwrap_or_else(RootPath::root);
                (cwd, Rc::new(self.request.env.clone()))
            }
        };
        Start {
            starter,
            from: Some(object.clone()),
            words: vec![program.to_string()],
            cwd,
            env,
            certainty: Certainty::Likely,
            is_exec: false,
            is_helper,
            reason: Reason::Command { why },
            tells_missing: true,
        }
    }

    /// The packages that own files; none for a root without a database.
    pub(super) fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        self.world.owners(paths)
    }
}
