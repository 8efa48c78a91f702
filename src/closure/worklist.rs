//! The one loop: facts are given to rules, rules answer with demands, demands become facts, until nothing is new.
//!
//! Facts are handed out in the order of the rules: a rule is asked only when all rules before it have nothing to do.
//! So launches are known before claims are decided, and claims before packages are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::claims::Claimed;
use super::demand::{Apply, Demand, Host, Missing, Open, Start, Why};
use super::graph::Taken;
use super::launch::{Launch, LaunchId, Launched, chain};
use super::process::{ProcessId, Started};
use super::rules::{RULES, Rule, RuleId};
use super::state::{Applied, State};
use super::told::{Note, Told};
use super::{EntryPoint, NodeKind, Reason, Request, path_of};
use crate::error::Error;
use crate::language::{self, Certainty, Without};
use crate::loader::{self, Conditions, Process};
use crate::path::{RootPath, show};
use crate::root::{End, FileKind};
use crate::world::{World, find_program, tables};

/// Most launches that lie between a root of the tree and a launch: a wrapper, the program after it, and so on.
const MAX_DEPTH: usize = 16;
/// Most launches of one image.
const MAX_LAUNCHES: usize = 4096;
/// The code of the note that says where limits were met.
const CUT: &str = "starts-cut";
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// Something became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// The request was read. It comes once.
    Begin,
    /// A launch was accepted, or became surer.
    Launched(LaunchId),
    /// A process was resolved.
    Resolved(ProcessId),
    /// A program is started: its process was resolved so, or became required or surer.
    Required(ProcessId),
    /// The files of a package are packed; the number counts packages.
    Brought(usize),
    /// A profile was applied; the number counts profiles.
    Applied(usize),
    /// Anything changed. A rule gets it once for any number of changes.
    Changed,
}

/// The loop with what it works on.
pub(super) struct Worklist<'a> {
    pub(super) state: State<'a>,
    /// Facts to be handed out, by the place of the rule, then by age.
    queue: BTreeMap<(usize, u64), Fact>,
    changed: BTreeSet<usize>,
    age: u64,
    opened: BTreeSet<(ProcessId, RootPath, Vec<u8>)>,
    /// Processes that triggers of profiles have not seen yet.
    unsigned: BTreeSet<ProcessId>,
}

impl<'a> Worklist<'a> {
    pub(super) fn new(world: World<'a>, request: &'a Request) -> Self {
        let state = State {
            world: Rc::new(world),
            request,
            graph: super::Graph::default(),
            launches: Default::default(),
            processes: Default::default(),
            claims: Default::default(),
            signs: Default::default(),
            entries: Vec::new(),
            env: BTreeMap::new(),
            wanted: BTreeMap::new(),
            applied: Vec::new(),
            brought: Vec::new(),
            done: BTreeSet::new(),
            foreign: BTreeSet::new(),
            dangling: BTreeSet::new(),
            not_packed: BTreeSet::new(),
            unopened: Vec::new(),
            told: Vec::new(),
            news: 0,
        };
        Self {
            state,
            queue: BTreeMap::new(),
            changed: BTreeSet::new(),
            age: 0,
            opened: BTreeSet::new(),
            unsigned: BTreeSet::new(),
        }
    }

    /// Hands out facts until no rule has anything to do.
    ///
    /// # Errors
    /// Whatever a rule gives: `unreadable` and the like.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        self.emit(Fact::Begin);
        while let Some(((at, _), fact)) = self.queue.pop_first() {
            if fact == Fact::Changed {
                self.changed.remove(&at);
            }
            for id in std::mem::take(&mut self.unsigned) {
                self.state.signs.add(&self.state.world, self.state.processes.get(id))?;
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
        if let Fact::Resolved(id) | Fact::Required(id) = fact {
            self.unsigned.insert(id);
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
                if !self.state.brought.iter().any(|(known, _)| *known == package) {
                    self.state.brought.push((package, object));
                    self.emit(Fact::Brought(self.state.brought.len() - 1));
                }
                Ok(())
            }
            Demand::Env(name, value) => {
                self.state.env.entry(name).or_insert(value);
                Ok(())
            }
            Demand::Tell(told) => {
                self.tell(told);
                Ok(())
            }
            Demand::Done(answer) => {
                self.state.done.insert((rule.id, answer));
                Ok(())
            }
        }
    }

    fn tell(&mut self, told: Told) {
        if let Told::Note(Note { slot: Some(slot), .. }) = &told {
            self.state.told.retain(|known| !matches!(known, Told::Note(note) if note.slot.as_ref() == Some(slot)));
        }
        if !self.state.told.contains(&told) {
            self.state.told.push(told);
        }
    }

    fn apply(&mut self, apply: Apply) {
        let Apply { profile, sign, object, is_hidden } = apply;
        if !self.state.is_applied(&profile) {
            self.state.applied.push(Applied { profile, sign, object, is_hidden });
            self.emit(Fact::Applied(self.state.applied.len() - 1));
        }
    }

    fn take(
        &mut self,
        rule: RuleId,
        from: Option<&RootPath>,
        cwd: &RootPath,
        path: &[u8],
        reason: &Why,
    ) -> Result<Option<RootPath>, Error> {
        match self.state.graph.take(self.state.world.root, from, cwd, path, (rule, reason))? {
            Taken::Real(real) => Ok(Some(real)),
            Taken::NotPacked(path) => {
                self.state.not_packed.insert(path);
                Ok(None)
            }
            Taken::Nothing => Ok(None),
        }
    }

    /// Adds a path as spelled: a file, a symlink with its target, a directory with everything in it.
    fn tree(
        &mut self,
        rule: &'static Rule,
        (start, reason, by): (&RootPath, &Why, RuleId),
        without: Option<&Without>,
        host: &Host,
    ) -> Result<(), Error> {
        let root = self.state.world.root;
        let is_without = |path: &RootPath| without.is_some_and(|without| without(root, path));
        let is_claim = matches!(**reason, Reason::Home { .. });
        let mut open = vec![start.clone()];
        // Symlinks between directories may form rings: each real directory is entered once.
        let mut entered = BTreeSet::new();
        while let Some(path) = open.pop() {
            if is_without(&path) || self.state.is_excluded(&path) {
                continue;
            }
            let followed = root.follow(path.as_bytes())?;
            let taken = self.take(by, None, &RootPath::root(), path.as_bytes(), reason)?;
            let Some(real) = taken else {
                if matches!(followed.end, End::Missing(_) | End::NotDirectory(_) | End::Loop) {
                    self.state.dangling.insert(path);
                }
                continue;
            };
            match root.meta(&real)?.map(|meta| meta.kind) {
                Some(FileKind::Dir) => {
                    let is_link = real.name() != path.name() || real.parent() != path.parent();
                    // A symlink into a claimed directory is not followed: the claim decides what of it is packed.
                    let is_claimed = is_claim
                        && self.state.claims.cover(&real)
                        && !std::iter::successors(Some(real.clone()), RootPath::parent).any(|dir| is_without(&dir));
                    let is_spared = is_link && path != *start && (is_claimed || is_too_wide(&real, &path));
                    if !is_spared && entered.insert(real.clone()) {
                        open.extend(root.list(&real)?.iter().map(|name| path.join(name)));
                    }
                }
                Some(FileKind::File) if *host != Host::None => self.plug(rule, &real, host)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a file or directory. What is made goes before what the root has there: it was made because the builder's
    /// own would be wrong. Only the user's word is above that.
    fn make(
        &mut self,
        rule: RuleId,
        path: &RootPath,
        kind: NodeKind,
        reason: Reason,
        merges: bool,
    ) -> Result<(), Error> {
        let reason = Arc::new(reason);
        let place = match path.parent() {
            // `/var/run` may be a symlink: what is made below it lies where the symlink leads.
            Some(parent) if !parent.is_root() => self
                .take(rule, None, &RootPath::root(), parent.as_bytes(), &reason)?
                .map_or_else(|| path.clone(), |real| real.join(path.name())),
            _ => path.clone(),
        };
        let is_included = |edge: &super::Edge| matches!(*edge.reason, Reason::Included { .. });
        let is_file = matches!(kind, NodeKind::MadeFile { .. });
        if is_file && (merges || !self.state.graph.reasons(&place).any(is_included)) {
            self.state.graph.replace(&place, kind, rule, &reason);
        } else {
            self.state.graph.add(None, &place, kind, rule, &reason);
        }
        Ok(())
    }

    /// Resolves an ELF file that was added: a program is a process of its own, a library is opened in a process.
    fn plug(&mut self, rule: &'static Rule, real: &RootPath, host: &Host) -> Result<(), Error> {
        let (root, objects) = (self.state.world.root, self.state.world.objects);
        let host = self.state.host(host);
        if let Some(known) = host.and_then(|host| self.state.processes.plug_in(real, host)) {
            self.join(known, rule.id);
            return Ok(());
        }
        if root.read(real, ELF_MAGIC.len())? != ELF_MAGIC {
            return Ok(());
        }
        let read = objects.read(real)?;
        let Ok(elf) = &read.elf else { return Ok(()) };
        if elf.is_static_program() || elf.is_relocatable() {
            return Ok(());
        }
        let machine = |id: ProcessId| self.state.processes.get(id).process.loaded[0].elf.target.machine;
        if host.is_some_and(|host| machine(host) != elf.target.machine) {
            self.state.foreign.insert(real.clone());
            return Ok(());
        }
        match host.filter(|_| elf.interp.is_none()) {
            Some(host) => {
                let inside = self.state.processes.get(host);
                let (conditions, process) = (inside.conditions.clone(), &inside.process);
                let process = loader::load(objects, real.as_bytes(), &conditions, Some(process))?;
                self.enter(rule.id, real.clone(), host, process, &conditions, false);
            }
            None => {
                self.program(rule.id, real.as_bytes(), &self.state.request.conditions(), None)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, id: ProcessId, rule: RuleId) {
        if self.state.processes.get_mut(id).rules.insert(rule) {
            self.emit(Fact::Resolved(id));
        }
    }

    /// Enters a plug-in.
    fn enter(
        &mut self,
        rule: RuleId,
        real: RootPath,
        host: ProcessId,
        process: Process,
        conditions: &Conditions,
        required: bool,
    ) {
        if let Some(known) = self.state.processes.plug_in(&real, host) {
            self.state.processes.get_mut(known).required |= required;
            return self.join(known, rule);
        }
        let inside = self.state.processes.get(host);
        let program = inside.program.unwrap_or(host);
        let (conditions, certainty, rules) = (conditions.clone(), Certainty::Possible, BTreeSet::from([rule]));
        let started = Started { process, conditions, required, certainty, program: Some(program), rules };
        let id = self.state.processes.insert_plug_in(real, host, started);
        self.emit(Fact::Resolved(id));
    }

    /// The process of a program. With a certainty it is started; without, it only lies there.
    fn program(
        &mut self,
        rule: RuleId,
        path: &[u8],
        conditions: &Conditions,
        certainty: Option<Certainty>,
    ) -> Result<ProcessId, Error> {
        let known = self.state.processes.program(path, conditions);
        let id = match known {
            Some(id) => id,
            None => {
                let process = loader::load(self.state.world.objects, path, conditions, None)?;
                let started = Started {
                    process,
                    conditions: conditions.clone(),
                    required: certainty.is_some(),
                    certainty: certainty.unwrap_or(Certainty::Possible),
                    program: None,
                    rules: BTreeSet::from([rule]),
                };
                let id = self.state.processes.insert_program(path, started);
                self.emit(Fact::Resolved(id));
                if certainty.is_some() {
                    self.emit(Fact::Required(id));
                }
                return Ok(id);
            }
        };
        let started = self.state.processes.get_mut(id);
        let before = (started.required, started.certainty);
        started.required |= certainty.is_some();
        started.certainty = started.certainty.max(certainty.unwrap_or(Certainty::Possible));
        if before != (started.required, started.certainty) {
            self.emit(Fact::Required(id));
        }
        self.join(id, rule);
        Ok(id)
    }

    /// Opens a library by name.
    fn open(&mut self, rule: &'static Rule, open: Open) -> Result<(), Error> {
        let host = self.state.processes.get(open.host);
        let program = host.program.unwrap_or(open.host);
        let conditions = host.conditions.clone();
        let requester = host.process.loaded[open.requester].real.clone();
        let mut is_found = false;
        for (name, reason) in open.names {
            let key = (program, requester.clone(), name.clone());
            if self.opened.contains(&key) {
                return Ok(());
            }
            let host = &self.state.processes.get(open.host).process;
            let opened = loader::open(self.state.world.objects, host, open.requester, &name, &conditions)?;
            let Some(opened) = opened else { continue };
            self.opened.insert(key);
            is_found = true;
            if let Some(plugin) = opened.loaded.get(opened.inherited) {
                let (path, real) = (plugin.path.clone(), plugin.real.clone());
                self.take(rule.id, open.from.as_ref(), &conditions.cwd, &path, &Arc::new(reason))?;
                self.enter(rule.id, real, open.host, opened, &conditions, open.required);
            }
            break;
        }
        match open.missing.filter(|_| !is_found) {
            Some(Missing::Noted(object, note)) => {
                let unopened = (object, note);
                if !self.state.unopened.contains(&unopened) {
                    self.state.unopened.push(unopened);
                }
            }
            Some(Missing::Named(told)) => self.tell(told),
            None => {}
        }
        Ok(())
    }

    /// Starts the entry or a `--bin`.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub(super) fn entry(&mut self, asked: &str, args: &[String], reason: Reason) -> Result<(), Error> {
        let request = self.state.request;
        let root = self.state.world.root;
        let cwd = request.workdir.clone().unwrap_or_else(RootPath::root);
        let mut env = request.env.clone();
        let replaced = match language::replaced(root, asked, args, &cwd)? {
            Some(found) if !request.processes_only => {
                let before = std::iter::once(asked).chain(args.iter().map(String::as_str));
                let (before, after) = (before.collect::<Vec<_>>().join(" "), found.words.join(" "));
                let says = format!("`{before}` is replaced by what it starts: `{after}`");
                self.tell(Told::Note(Note::new("entry-replaced", asked, says)));
                for (name, value) in found.env {
                    self.state.env.entry(name.clone()).or_insert_with(|| value.clone());
                    env.entry(name).or_insert(value);
                }
                Some(found.words)
            }
            _ => None,
        };
        let words = replaced.unwrap_or_else(|| std::iter::once(asked.to_owned()).chain(args.iter().cloned()).collect());
        let start = Start {
            starter: None,
            from: None,
            words: words.clone(),
            cwd,
            env: Rc::new(env),
            certainty: Certainty::Sure,
            is_exec: true,
            is_helper: false,
            reason,
            tells_missing: true,
        };
        let Some(id) = self.start(&super::rules::ENTRY, start)? else { return Ok(()) };
        if !self.state.launches.roots.contains(&id) {
            self.state.launches.roots.push(id);
        }
        let launched = self.state.launches.get(id);
        let (path, real) = (launched.launch.program.clone(), launched.real.clone());
        self.state.entries.push(EntryPoint { asked: words[0].clone(), args: words[1..].to_vec(), path, real });
        Ok(())
    }

    /// Starts a program, or adds another reason to one that is started already. A program that cannot be started is an
    /// error for an entry, and a note for every other.
    fn start(&mut self, rule: &'static Rule, start: Start) -> Result<Option<LaunchId>, Error> {
        let root = self.state.world.root;
        let is_root = start.starter.is_none() && start.from.is_none();
        let name = start.words[0].clone();
        let program = match find_program(root, name.as_bytes(), &start.cwd, path_of(&start.env)) {
            Ok(found) => found,
            Err(error) if is_root => return Err(error),
            Err(error) if error.code == "unreadable" => return Err(error),
            Err(_) => {
                if start.tells_missing {
                    let says = format!("{name} is not in the root: {}", start.reason.says(start.from.as_ref()));
                    self.tell(Told::Note(Note::new("program-missing", name, says)));
                }
                return Ok(None);
            }
        };
        let (depth, certainty, is_certain) = match start.starter.map(|id| self.state.launches.get(id)) {
            Some(starter) => {
                let is_certain = starter.is_certain && start.is_exec && start.certainty == Certainty::Sure;
                (starter.depth + 1, starter.certainty.min(start.certainty), is_certain)
            }
            None => (0, start.certainty, start.is_exec),
        };
        let mut launch = Launch { program, args: start.words[1..].to_vec(), cwd: start.cwd, env: start.env };
        if certainty < Certainty::Sure {
            self.forget_variables(&mut launch, start.starter);
        }
        if let Some(id) = self.state.launches.find(&launch) {
            self.again(id, (start.starter, certainty, is_certain, start.is_helper, depth))?;
            let cwd = launch.cwd.clone();
            self.take(rule.id, start.from.as_ref(), &cwd, launch.program.as_bytes(), &Arc::new(start.reason))?;
            return Ok(Some(id));
        }
        if !is_root && (depth > MAX_DEPTH || self.state.launches.len() >= MAX_LAUNCHES) {
            return self.cut(rule, launch, depth, (start.from.as_ref(), start.reason));
        }
        let flags = (certainty, is_certain, start.is_helper, depth);
        self.accept(rule, launch, start.starter, flags, (start.from.as_ref(), start.reason))
    }

    /// Accepts a launch that is new: adds its files and resolves its processes.
    fn accept(
        &mut self,
        rule: &'static Rule,
        launch: Launch,
        starter: Option<LaunchId>,
        (certainty, is_certain, is_helper, depth): (Certainty, bool, bool, usize),
        (from, reason): (Option<&RootPath>, Reason),
    ) -> Result<Option<LaunchId>, Error> {
        let root = self.state.world.root;
        let is_root = starter.is_none() && from.is_none();
        let followed = root.follow_from(&launch.cwd, launch.program.as_bytes())?;
        let real = followed.file().map_or_else(|| launch.program.clone(), |(real, _)| real.clone());
        let chain = chain(root, &launch, from, reason)?;
        let conditions = self.state.request.conditions_of(&launch.env, &launch.cwd);
        let (mut processes, mut error) = (Vec::new(), chain.error);
        for step in chain.steps {
            if !self.state.request.processes_only {
                let reason = Arc::new(step.reason);
                self.take(rule.id, step.from.as_ref(), &launch.cwd, step.path.as_bytes(), &reason)?;
            }
            if !step.is_program {
                continue;
            }
            match self.program(rule.id, step.path.as_bytes(), &conditions, Some(certainty)) {
                Ok(id) => processes.push(id),
                Err(failed) => {
                    error.get_or_insert(failed);
                    break;
                }
            }
        }
        if let Some(error) = error {
            if is_root || !is_of_program(&error) {
                return Err(error);
            }
            let says = format!("{} cannot be started: {error}", show(launch.program.as_bytes()));
            self.tell(Told::Note(Note::new("start-fails", launch.program.to_string(), says)));
            return Ok(None);
        }
        let launched = Launched {
            launch,
            real,
            certainty,
            is_certain,
            is_helper,
            depth,
            starters: starter.into_iter().collect(),
            scripts: chain.scripts,
            programs: chain.programs,
            processes,
        };
        let id = self.state.launches.insert(launched);
        self.emit(Fact::Launched(id));
        Ok(Some(id))
    }

    /// Of a launch that is only likely, variables that no loader and no interpreter reads are those of its starter: a
    /// script with many of them would start the same program many times over.
    fn forget_variables(&self, launch: &mut Launch, starter: Option<LaunchId>) {
        let Some(own) = starter.map(|id| Rc::clone(&self.state.launches.get(id).launch.env)) else { return };
        if own == launch.env {
            return;
        }
        let is_read = |name: &String| tables::variables().is_read_at_start(name);
        let mut env: BTreeMap<String, String> =
            own.iter().filter(|(name, _)| !is_read(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        let read = launch.env.iter().filter(|(name, _)| is_read(name));
        env.extend(read.map(|(name, value)| (name.clone(), value.clone())));
        launch.env = if env == *own { own } else { Rc::new(env) };
    }

    /// Past a limit, a program is packed once and without its arguments, and the user is told.
    fn cut(
        &mut self,
        rule: &'static Rule,
        launch: Launch,
        depth: usize,
        why: (Option<&RootPath>, Reason),
    ) -> Result<Option<LaunchId>, Error> {
        let limit = match depth > MAX_DEPTH {
            true => format!("programs start each other more than {MAX_DEPTH} deep"),
            false => format!("more than {MAX_LAUNCHES} commands start programs"),
        };
        let says = format!("{limit}: of some programs, {} first, the arguments were not looked at", launch.program);
        let is_known = |told: &Told| matches!(told, Told::Note(note) if note.code == CUT);
        if !self.state.told.iter().any(is_known) {
            self.tell(Told::Note(Note::new(CUT, launch.program.to_string(), says)));
        }
        if self.state.launches.iter().any(|(_, known)| known.launch.program == launch.program) {
            return Ok(None);
        }
        let request = self.state.request;
        let cwd = request.workdir.clone().unwrap_or_else(RootPath::root);
        let plain = Launch { program: launch.program, args: Vec::new(), cwd, env: Rc::new(request.env.clone()) };
        self.accept(rule, plain, None, (Certainty::Possible, false, true, depth), why)
    }

    /// A launch that is known was asked for again.
    fn again(
        &mut self,
        id: LaunchId,
        (starter, certainty, is_certain, is_helper, depth): (Option<LaunchId>, Certainty, bool, bool, usize),
    ) -> Result<(), Error> {
        let launched = self.state.launches.get_mut(id);
        let before = (launched.certainty, launched.is_certain, launched.is_helper);
        launched.certainty = launched.certainty.max(certainty);
        launched.is_certain |= is_certain;
        launched.is_helper &= is_helper;
        launched.depth = launched.depth.min(depth);
        launched.starters.extend(starter.filter(|starter| *starter != id));
        if before == (launched.certainty, launched.is_certain, launched.is_helper) {
            return Ok(());
        }
        let certainty = launched.certainty;
        for process in launched.processes.clone() {
            let started = self.state.processes.get_mut(process);
            if started.certainty < certainty {
                started.certainty = certainty;
                self.emit(Fact::Required(process));
            }
        }
        self.emit(Fact::Launched(id));
        Ok(())
    }
}

/// True for errors that say why one program does not start.
fn is_of_program(error: &Error) -> bool {
    matches!(error.code, "entry-missing" | "interpreter-missing" | "bad-shebang" | "shebang-cr" | "not-elf" | "bad-elf")
}

/// True if the content of a directory that a symlink leads to is better left out: it comes anyway under its own name,
/// or it is so high up that the symlink is a way to reach things, not a part of what was asked for.
fn is_too_wide(real: &RootPath, link: &RootPath) -> bool {
    let is_top_level = real.parent().is_none_or(|parent| parent.is_root());
    is_top_level || link.is_within(real) || link.parent().is_some_and(|dir| real.is_within(&dir))
}
