//! The main loop: rules receive facts and answer with demands, which create new facts, until nothing changes.
//!
//! Facts are delivered in the order of the rules: a rule runs only when all rules before it have nothing to do. So
//! launches are known before claims are decided, and claims before packages are considered.

mod compile;
mod files;
mod starts;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;

pub use compile::Workshop;

use super::Request;
use super::claims::Claimed;
use super::demand::{Apply, Demand, Host};
use super::launch::LaunchId;
use super::message::Message;
use super::process::ProcessId;
use super::rules::{RULES, Rule};
use super::state::{Applied, State};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::FileKind;
use crate::world::World;

/// A new fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// The request was read; sent once.
    Begin,
    /// A launch was accepted or became more certain.
    Launched(LaunchId),
    /// A process was resolved.
    Resolved(ProcessId),
    /// A program is started: its process was resolved as required, became required, or became more certain.
    Required(ProcessId),
    /// The files of a package are packed; the index of the package.
    Brought(usize),
    /// A profile was applied; the index of the profile.
    Applied(usize),
    /// A file that may have others in it was packed; its index among the archives.
    Held(usize),
    /// Anything has changed. A rule receives this once for any number of changes.
    Changed,
}

/// The loop and its state.
pub(super) struct Worklist<'a> {
    pub(super) state: State<'a>,
    /// Facts to deliver, by the index of the rule, then by age.
    queue: BTreeMap<(usize, u64), Fact>,
    changed: BTreeSet<usize>,
    age: u64,
    opened: BTreeSet<(ProcessId, RootPath, Vec<u8>)>,
    /// Files that are no ELF objects, for the processes that may open them.
    not_elf: HashSet<(RootPath, Option<ProcessId>)>,
    /// The archives that were found.
    archived: BTreeSet<(RootPath, ProcessId)>,
    /// The libraries of modules that the configuration of a program names.
    brought_in: BTreeMap<ProcessId, BTreeSet<Vec<u8>>>,
    /// Processes not yet considered for profile triggers.
    unsigned: BTreeSet<ProcessId>,
    /// Launches not yet considered for profile triggers.
    unheard: BTreeSet<LaunchId>,
    workshop: Option<&'a Workshop<'a>>,
    /// The sources that a trial start of the entry loaded.
    trial: Option<BTreeSet<RootPath>>,
}

impl<'a> Worklist<'a> {
    pub(super) fn new(world: World<'a>, request: &'a Request, workshop: Option<&'a Workshop<'a>>) -> Self {
        let state = State {
            world: Rc::new(world),
            request,
            known_places: request.known.iter().flat_map(crate::profile::Profile::places).collect(),
            graph: super::Graph::default(),
            launches: Default::default(),
            memory: Default::default(),
            processes: Default::default(),
            claims: Default::default(),
            signs: Default::default(),
            entries: Vec::new(),
            env: BTreeMap::new(),
            wanted: BTreeMap::new(),
            applied: Vec::new(),
            brought: Vec::new(),
            brought_names: BTreeSet::new(),
            unasked: Default::default(),
            compiled: BTreeMap::new(),
            done: HashSet::new(),
            foreign: BTreeSet::new(),
            archives: Vec::new(),
            embedded: Default::default(),
            dangling: BTreeSet::new(),
            not_packed: BTreeSet::new(),
            unopened: Vec::new(),
            messages: Default::default(),
            news: 0,
        };
        Self {
            state,
            queue: BTreeMap::new(),
            changed: BTreeSet::new(),
            age: 0,
            opened: BTreeSet::new(),
            not_elf: HashSet::new(),
            archived: BTreeSet::new(),
            brought_in: BTreeMap::new(),
            unsigned: BTreeSet::new(),
            unheard: BTreeSet::new(),
            workshop,
            trial: None,
        }
    }

    /// Delivers facts until no rule has anything to do.
    ///
    /// # Errors
    /// Any error of a rule, such as `unreadable`.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        self.emit(Fact::Begin);
        while let Some(((at, _), fact)) = self.queue.pop_first() {
            if fact == Fact::Changed {
                self.changed.remove(&at);
            }
            for id in std::mem::take(&mut self.unsigned) {
                self.state.signs.add(&self.state.world, self.state.processes.get(id))?;
            }
            for id in std::mem::take(&mut self.unheard) {
                self.state.signs.launched(self.state.launches.get(id));
            }
            let rule = &RULES[at];
            for demand in (rule.on)(&self.state, fact)? {
                self.carry_out(rule, demand)?;
            }
        }
        Ok(())
    }

    fn emit(&mut self, fact: Fact) {
        if let Fact::Launched(_) | Fact::Resolved(_) | Fact::Required(_) = fact {
            self.state.news += 1;
        }
        if let Fact::Launched(id) = fact {
            self.unheard.insert(id);
            self.state.unasked.launches.insert(id);
        }
        if let Fact::Resolved(id) | Fact::Required(id) = fact {
            self.unsigned.insert(id);
            self.state.unasked.processes.insert(id);
            self.state.processes.add_libraries(id);
        }
        for (at, rule) in RULES.iter().enumerate() {
            if self.state.request.no_rules.iter().any(|id| id == rule.id) {
                continue;
            }
            if fact != Fact::Changed && rule.takes(fact) {
                self.age += 1;
                self.queue.insert((at, self.age), fact);
            }
            if rule.takes(Fact::Changed) && self.changed.insert(at) {
                self.age += 1;
                self.queue.insert((at, self.age), Fact::Changed);
            }
        }
    }

    fn carry_out(&mut self, rule: &'static Rule, demand: Demand) -> Result<(), Error> {
        match demand {
            Demand::Path { from, cwd, path, reason, host } => {
                let taken = self.take(rule.id, from.as_ref(), &cwd, &path, &reason)?;
                let Some(real) = taken.filter(|_| host != Host::None) else { return Ok(()) };
                let meta = self.state.world.root.meta(&real)?;
                if meta.is_some_and(|meta| meta.kind == FileKind::File) {
                    self.plug(rule, &real, &host)
                } else {
                    Ok(())
                }
            }
            Demand::Tree { start, reason, without, host, by } => {
                self.tree(rule, (&start, &reason, by.unwrap_or(rule.id)), without.as_ref(), &host)
            }
            Demand::ClaimsSettled => {
                self.state.claims.close();
                Ok(())
            }
            Demand::Link { from, link, kind, reason } => {
                self.state.graph.add(from.as_ref(), &link, kind, rule.id, &Arc::new(reason));
                Ok(())
            }
            Demand::Make { path, kind, reason, merges } => self.make(rule.id, &path, kind, reason, merges),
            Demand::Resolve { real, host } => self.plug(rule, &real, &host),
            Demand::Read { dir, host } => {
                self.examine(&dir, host);
                Ok(())
            }
            Demand::Start(start) => self.start(rule, start).map(|_| ()),
            Demand::Open(open) => self.open(rule, open),
            Demand::Enter { process, conditions, program } => {
                let real = process.subject().real.clone();
                self.enter(rule.id, real, program, process, &conditions, false);
                Ok(())
            }
            Demand::Claim { launch, claim } => {
                if self.state.claims.add(Claimed { claim, launch, rule: rule.id }) {
                    self.emit(Fact::Changed);
                }
                Ok(())
            }
            Demand::Want { profile, sign } => {
                if self.state.wanted.entry(profile).or_default().insert(sign) {
                    self.emit(Fact::Changed);
                }
                Ok(())
            }
            Demand::Apply(apply) => {
                self.apply(apply);
                Ok(())
            }
            Demand::Bring { package, object } => {
                if self.state.brought_names.insert(package.clone()) {
                    self.state.brought.push((package, object));
                    self.emit(Fact::Brought(self.state.brought.len() - 1));
                }
                Ok(())
            }
            Demand::Hold { file, name, imports } => {
                self.state.signs.embedded(&file, &name, &imports);
                self.emit(Fact::Changed);
                Ok(())
            }
            Demand::Compile { program, sources } => self.compile(rule, &program, sources),
            Demand::Env(name, value) => {
                self.state.env.entry(name).or_insert(value);
                Ok(())
            }
            Demand::Report(message) => {
                self.report(message);
                Ok(())
            }
            Demand::Asked => {
                self.state.unasked = Default::default();
                Ok(())
            }
            Demand::Done(answer) => {
                self.state.done.insert((rule.id, answer));
                Ok(())
            }
        }
    }

    fn report(&mut self, message: Message) {
        self.state.messages.push(message);
    }

    fn apply(&mut self, apply: Apply) {
        let Apply { profile, sign, object, is_hidden } = apply;
        if !self.state.is_applied(&profile) {
            self.state.applied.push(Applied { profile, sign, object, is_hidden });
            self.emit(Fact::Applied(self.state.applied.len() - 1));
        }
    }
}
