//! Carries out launches and enforces their limits.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::{Fact, Worklist};
use crate::closure::demand::Start;
use crate::closure::launch::{Launch, LaunchId, Launched, chain};
use crate::closure::message::{Message, Note};
use crate::closure::rules::{ENTRY, Rule};
use crate::closure::{EntryPoint, NodeKind, Reason, path_of, probe};
use crate::config::PROBE;
use crate::error::Error;
use crate::language::{self, Certainty};
use crate::path::{RootPath, show};
use crate::world::{find_program, tables};

/// Maximum number of launches between a root of the tree and a launch: a wrapper, the program it starts, and so on.
const MAX_DEPTH: usize = 16;
/// Maximum number of times that a program is above itself.
const MAX_SAME: usize = 5;
/// Maximum number of launches of a script that starts itself.
const MAX_OF_SCRIPT: usize = 256;
/// Most launches of one image. git with its helper scripts has 4,707.
const MAX_LAUNCHES: usize = 6144;
/// Any user of the image may run the health probe.
const PROBE_MODE: u32 = 0o755;
/// The code of the note that says where limits were met.
const CUT: &str = "starts-cut";

impl Worklist<'_> {
    /// Starts the entry or a `--bin`.
    ///
    /// # Errors
    /// The reason why it cannot be started.
    pub(in crate::closure) fn entry(&mut self, asked: &str, args: &[String], reason: Reason) -> Result<(), Error> {
        let request = self.state.request;
        let root = self.state.world.root;
        let cwd = request.workdir.clone().unwrap_or_else(RootPath::root);
        let mut env = request.env.clone();
        let replaced = match language::replaced(root, asked, args, &cwd)? {
            Some(found) if !request.processes_only => {
                let before = std::iter::once(asked).chain(args.iter().map(String::as_str));
                let (before, after) = (before.collect::<Vec<_>>().join(" "), found.words.join(" "));
                let says = format!("`{before}` is replaced with the command that it starts: `{after}`");
                self.report(Message::Note(Note::new("entry-replaced", asked, says)));
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
        let Some(id) = self.start(&ENTRY, start)? else { return Ok(()) };
        if !self.state.launches.roots.contains(&id) {
            self.state.launches.roots.push(id);
        }
        let launched = self.state.launches.get(id);
        let (path, real) = (launched.launch.program.clone(), launched.real.clone());
        self.state.entries.push(EntryPoint { asked: words[0].clone(), args: words[1..].to_vec(), path, real });
        Ok(())
    }

    /// Packs slimroot's own health probe for the machine of the entry.
    ///
    /// # Errors
    /// `probe-unsupported`, `unreadable`.
    pub(in crate::closure) fn add_probe(&mut self) -> Result<(), Error> {
        let first = self.state.processes.iter().next().and_then(|(_, started)| started.process.loaded.first());
        let target = first.map(|program| program.elf.target);
        let Some(bytes) = target.as_ref().and_then(probe::for_machine) else {
            let machine = target.map_or_else(|| "an unknown machine".to_owned(), |target| target.to_string());
            return Err(Error::new("probe-unsupported", format!("slimroot has no health probe for {machine}"))
                .help("--healthcheck 'CMD PROGRAM ARGUMENTS' runs a program of the root instead"));
        };
        let path = RootPath::new(PROBE).unwrap_or_else(RootPath::root);
        let kind = NodeKind::MadeFile { mode: PROBE_MODE, bytes: bytes.into() };
        let why = "it is slimroot's own probe, which the health check of the image runs (--healthcheck)".to_owned();
        self.make(ENTRY.id, &path, kind, Reason::Made { group: "health probe", why }, false)
    }

    /// Starts a program, or adds another reason to one that is already started. A program that cannot be started is an
    /// error if it is an entry, otherwise a note.
    pub(super) fn start(&mut self, rule: &'static Rule, start: Start) -> Result<Option<LaunchId>, Error> {
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
                    self.report(Message::Note(Note::new("program-missing", name, says)));
                }
                return Ok(None);
            }
        };
        // `/proc/self/exe` in the builder stage is slimroot.
        if !is_root && tables::system().kernel.cover(&program) {
            return Ok(None);
        }
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
        let times_above = self.times_above(&launch.program, start.starter);
        let is_endless = times_above > 0 && self.state.launches.count_of_script(&launch.program) >= MAX_OF_SCRIPT;
        let starter = start.starter.filter(|_| !is_endless);
        let repeated = || starter.and_then(|starter| self.state.launches.repeated(&launch, starter));
        if let Some(id) = self.state.launches.find(&launch).or_else(repeated) {
            self.again(id, (start.starter, certainty, is_certain, start.is_helper, depth))?;
            let cwd = launch.cwd.clone();
            self.take(rule.id, start.from.as_ref(), &cwd, launch.program.as_bytes(), &Arc::new(start.reason))?;
            return Ok(Some(id));
        }
        let limit = match () {
            () if is_root => None,
            () if depth > MAX_DEPTH => Some(format!("programs start each other more than {MAX_DEPTH} levels deep")),
            () if self.state.launches.len() >= MAX_LAUNCHES => {
                Some(format!("more than {MAX_LAUNCHES} commands start programs"))
            }
            () if times_above >= MAX_SAME => Some(format!(
                "a program starts itself more than {MAX_SAME} levels deep, with other arguments each time"
            )),
            () if is_endless => {
                Some(format!("a script starts itself with more than {MAX_OF_SCRIPT} different lists of arguments"))
            }
            () => None,
        };
        if let Some(limit) = limit {
            return self.cut(rule, launch, (depth, &limit), (start.from.as_ref(), start.reason));
        }
        let flags = (certainty, is_certain, start.is_helper, depth);
        self.accept(rule, launch, start.starter, flags, (start.from.as_ref(), start.reason))
    }

    /// The number of times that a program is above itself in the tree of launches. Interpreters and wrappers are no
    /// programs of their own here: a shell in a shell runs another script.
    fn times_above(&self, program: &RootPath, starter: Option<LaunchId>) -> usize {
        let starter = starter.filter(|_| !language::runs_others(&show(program.name())));
        // Launches that start each other are a ring: each counts once.
        let mut seen = BTreeSet::new();
        let mut next = starter;
        while let Some(id) = next.filter(|id| seen.insert(*id)) {
            next = self.state.launches.get(id).starters.first().copied();
        }
        seen.iter().filter(|id| self.state.launches.get(**id).launch.program == *program).count()
    }

    /// Accepts a new launch: adds its files and resolves its processes.
    pub(super) fn accept(
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
        for step in chain.steps.iter().filter(|step| step.is_program) {
            if self.refuses_shell(&launch.cwd, step.path.as_bytes())? {
                if is_root {
                    let says = format!("{} is run by {}, which --no-shell leaves out", launch.program, step.path);
                    let help = "give the program that the script or shell starts as the entry, or remove --no-shell";
                    return Err(Error::new("bad-argument", says).help(help));
                }
                self.tell_refused(step.from.as_ref(), step.path.as_bytes(), &step.reason);
                return Ok(None);
            }
        }
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
            self.report(Message::Note(Note::new("start-fails", launch.program.to_string(), says)));
            return Ok(None);
        }
        let loaded = processes.iter().flat_map(|id| &self.state.processes.get(*id).process.loaded);
        let brought_in = processes.iter().filter_map(|id| self.brought_in.get(id)).flatten().cloned();
        let sonames = loaded.filter_map(|object| object.elf.soname.clone()).chain(brought_in).collect();
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
            sonames,
            processes,
        };
        let id = self.state.launches.insert(launched);
        self.emit(Fact::Launched(id));
        Ok(Some(id))
    }

    /// For a launch that is only likely, variables that no loader or interpreter reads are reset to those of its
    /// starter. Otherwise a script that changes many variables would start the same program many times.
    pub(super) fn forget_variables(&self, launch: &mut Launch, starter: Option<LaunchId>) {
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

    /// Beyond a limit, packs a program once without its arguments, and adds a note.
    pub(super) fn cut(
        &mut self,
        rule: &'static Rule,
        launch: Launch,
        (depth, limit): (usize, &str),
        why: (Option<&RootPath>, Reason),
    ) -> Result<Option<LaunchId>, Error> {
        let says = format!("{limit}: the arguments of some programs were ignored, {} first", launch.program);
        let is_known = |message: &Message| matches!(message, Message::Note(note) if note.code == CUT);
        if !self.state.messages.iter().any(is_known) {
            self.report(Message::Note(Note::new(CUT, launch.program.to_string(), says)));
        }
        if self.state.launches.iter().any(|(_, known)| known.launch.program == launch.program) {
            return Ok(None);
        }
        let request = self.state.request;
        let cwd = request.workdir.clone().unwrap_or_else(RootPath::root);
        let plain = Launch { program: launch.program, args: Vec::new(), cwd, env: Rc::new(request.env.clone()) };
        self.accept(rule, plain, None, (Certainty::Possible, false, true, depth), why)
    }

    /// Handles another request for a known launch.
    pub(super) fn again(
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

/// True for errors that explain why one program does not start.
fn is_of_program(error: &Error) -> bool {
    matches!(error.code, "entry-missing" | "interpreter-missing" | "bad-shebang" | "shebang-cr" | "not-elf" | "bad-elf")
}
