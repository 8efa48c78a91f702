//! Everything that is known so far. Rules read it; only the worklist changes it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::claims::Claims;
use super::contents::Contents;
use super::demand::{Host, Start};
use super::graph::Graph;
use super::launch::{LaunchId, Launched, Launches};
use super::message::Messages;
use super::process::{ProcessId, Processes};
use super::rules::RuleId;
use super::signs::{Sign, Signs};
use super::{EntryPoint, Reason, Request};
use crate::error::Error;
use crate::language::{Certainty, Memory};
use crate::path::RootPath;
use crate::profile::{EntryKind, Profile};
use crate::root::GlobSet;
use crate::world::World;

/// A profile that was applied.
pub(super) struct Applied {
    pub(super) profile: String,
    pub(super) sign: Option<Sign>,
    pub(super) object: Option<RootPath>,
    pub(super) is_hidden: bool,
}

/// Launches and processes that are new or have changed since a rule last looked at them.
#[derive(Default)]
pub(super) struct Unasked {
    pub(super) launches: BTreeSet<LaunchId>,
    pub(super) processes: BTreeSet<ProcessId>,
}

/// The current state.
pub(super) struct State<'a> {
    pub(super) world: Rc<World<'a>>,
    pub(super) request: &'a Request,
    /// The patterns of all known profiles.
    pub(super) known_places: GlobSet<'a>,
    pub(super) graph: Graph,
    pub(super) launches: Launches,
    /// Scripts that languages have read.
    pub(super) memory: Memory,
    pub(super) processes: Processes,
    pub(super) claims: Claims,
    pub(super) signs: Signs,
    pub(super) entries: Vec<EntryPoint>,
    /// Environment set by the package manager's scripts and by profiles, unless the user sets the variable.
    pub(super) env: BTreeMap<String, String>,
    /// Profiles that launches need, with the evidence.
    pub(super) wanted: BTreeMap<&'static str, BTreeSet<Sign>>,
    pub(super) applied: Vec<Applied>,
    /// Packages whose files are packed, each with the object that caused it.
    pub(super) brought: Vec<(String, RootPath)>,
    pub(super) brought_names: BTreeSet<String>,
    /// Launches and processes whose packages were not looked for yet.
    pub(super) unasked: Unasked,
    /// Python sources that were given to an interpreter to compile.
    pub(super) compiled: BTreeMap<RootPath, BTreeSet<RootPath>>,
    /// Results that rules need not return again.
    pub(super) done: HashSet<(RuleId, String)>,
    /// Included ELF files of other machines than the entry's.
    pub(super) foreign: BTreeSet<RootPath>,
    /// Packed files that may have ELF objects in them, and the processes that may open these.
    pub(super) archives: Vec<(RootPath, ProcessId)>,
    /// Cached contents of archives.
    pub(super) embedded: Contents,
    /// Dangling symlinks among the requested files.
    pub(super) dangling: BTreeSet<RootPath>,
    /// Devices, sockets and pipes among the requested files.
    pub(super) not_packed: BTreeSet<RootPath>,
    pub(super) unopened: Vec<(RootPath, crate::elf::DlopenNote)>,
    pub(super) messages: Messages,
    /// Counter of new launches and processes and of increases in certainty. Rules that depend on these run again when
    /// it has changed.
    pub(super) news: u64,
}

impl State<'_> {
    /// True if the rule has returned this result before.
    pub(super) fn is_done(&self, rule: RuleId, answer: &str) -> bool {
        self.done.contains(&(rule, answer.to_owned()))
    }

    /// True if `--exclude` matches the path.
    pub(super) fn is_excluded(&self, path: &RootPath) -> bool {
        self.request.exclude.iter().any(|glob| glob.covers(path))
    }

    /// True if a known profile takes the path, so that the profile decides whether it is needed.
    pub(super) fn is_known_to_a_profile(&self, path: &RootPath) -> bool {
        self.known_places.covers(path)
    }

    /// True if a profile that only signs apply takes the path.
    pub(super) fn is_left_to_signs(&self, path: &RootPath) -> bool {
        let places: GlobSet<'_> = self.request.automatic.iter().flat_map(Profile::places).collect();
        places.covers(path)
    }

    /// Every profile of the request by its name.
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        let asked = self.request.profiles.iter().chain(&self.request.automatic).chain(&self.request.known);
        asked.into_iter().find(|profile| profile.name == name)
    }

    pub(super) fn is_applied(&self, name: &str) -> bool {
        self.applied.iter().any(|applied| applied.profile == name)
    }

    /// The process selected by a host.
    pub(super) fn host(&self, host: &Host) -> Option<ProcessId> {
        match host {
            Host::None => None,
            Host::Main => self.processes.main(),
            Host::Process(id) => Some(*id).filter(|id| self.processes.get(*id).process.constants.is_some()),
            Host::With(object) => self.processes.with(object).or_else(|| self.processes.main()),
        }
    }

    /// The kind of the entry; `None` if not yet known.
    pub(super) fn entry_kind(&self) -> Option<EntryKind> {
        let entry = self.entries.first()?;
        let own = self.processes.as_slice().iter().find(|started| started.process.loaded[0].real == entry.real);
        Some(match own {
            None => EntryKind::Script,
            Some(started) if started.process.constants.is_some() => EntryKind::Dynamic,
            Some(_) => EntryKind::Static,
        })
    }

    /// The launches of the commands that trigger a profile; none if its triggers name no command.
    pub(super) fn configured_launches<'s>(&'s self, profile: &'s Profile) -> impl Iterator<Item = LaunchId> + 's {
        let names = profile.commands();
        // Most profiles name none, and an image may have thousands of launches.
        let launches = (!names.is_empty()).then(|| self.launches.in_order()).into_iter().flatten();
        launches.filter(move |id| {
            let launched = self.launches.get(*id);
            launched.certainty >= Certainty::Likely && launched.is_called(&names)
        })
    }

    /// The launch that runs an object: the most certain one, then the first in order.
    pub(super) fn starter(&self, object: &RootPath) -> Option<LaunchId> {
        let processes = self.processes.loading(object);
        let has = |launched: &Launched| launched.processes.iter().any(|id| processes.contains(id));
        let running = self.launches.iter().filter(|(_, launched)| has(launched));
        let best = running.min_by(|(_, a), (_, b)| b.certainty.cmp(&a.certainty).then_with(|| a.launch.cmp(&b.launch)));
        best.map(|(id, _)| id)
    }

    /// Starts a program that an object probably starts, with the environment and working directory of the launch that
    /// runs the object.
    pub(super) fn start_by(&self, object: &RootPath, program: &RootPath, why: String, is_helper: bool) -> Start {
        let starter = self.starter(object);
        let (cwd, env) = match starter.map(|id| &self.launches.get(id).launch) {
            Some(launch) => (launch.cwd.clone(), Rc::clone(&launch.env)),
            None => {
                let cwd = self.request.workdir.clone().unwrap_or_else(RootPath::root);
                (cwd, Rc::new(self.request.env.clone()))
            }
        };
        let start = Start::likely(vec![program.to_string()], (&cwd, &env), Reason::Command { why });
        Start { starter, from: Some(object.clone()), is_helper, tells_missing: true, ..start }
    }

    /// True if both packages are the same or built from the same source; false for files without a package.
    pub(super) fn is_same_source(&self, own: Option<&String>, owner: Option<&String>) -> Result<bool, Error> {
        let (Some(own), Some(owner)) = (own, owner) else { return Ok(false) };
        Ok(own == owner || self.world.database()?.is_some_and(|database| database.is_same_source(own, owner)))
    }

    /// The packages that own the files; empty for a root without a database.
    pub(super) fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        self.world.owners(paths)
    }
}
