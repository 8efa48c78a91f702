//! Carries out demands for files, ELF objects and libraries.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Fact, Worklist};
use crate::closure::demand::{Host, Missing, Open, Why};
use crate::closure::graph::Taken;
use crate::closure::message::{Message, Note};
use crate::closure::process::{ProcessId, Started};
use crate::closure::rules::{Rule, RuleId, SETTINGS};
use crate::closure::{NodeKind, Reason};
use crate::embedded;
use crate::error::Error;
use crate::language::{self, Certainty, Without};
use crate::loader::{self, Conditions, Process};
use crate::path::{RootPath, show};
use crate::root::{End, FileKind};
use crate::world::tables::system;

const EXECUTABLE: u32 = 0o111;
/// Maximum length of a path, without the terminating NUL (`PATH_MAX`).
const MAX_PATH: usize = 4095;
const ELF_MAGIC: &[u8] = b"\x7fELF";

impl Worklist<'_> {
    pub(super) fn take(
        &mut self,
        rule: RuleId,
        from: Option<&RootPath>,
        cwd: &RootPath,
        path: &[u8],
        reason: &Why,
    ) -> Result<Option<RootPath>, Error> {
        if self.refuses_shell(cwd, path)? {
            self.tell_refused(from, path, reason);
            return Ok(None);
        }
        match self.state.graph.take(self.state.world.root, from, cwd, path, (rule, reason))? {
            Taken::Real(real) => Ok(Some(real)),
            Taken::NotPacked(path) => {
                self.state.not_packed.insert(path);
                Ok(None)
            }
            Taken::Nothing => Ok(None),
        }
    }

    /// True if the path leads to a shell and `--no-shell` keeps it out.
    pub(super) fn refuses_shell(&self, cwd: &RootPath, path: &[u8]) -> Result<bool, Error> {
        if !self.state.request.no_shell {
            return Ok(false);
        }
        let followed = self.state.world.root.follow_from(cwd, path)?;
        let Some((real, meta)) = followed.file() else { return Ok(false) };
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_shell = |name: &[u8]| language::is_shell(&String::from_utf8_lossy(name));
        Ok(meta.mode & EXECUTABLE != 0 && (is_shell(real.name()) || is_shell(name)))
    }

    /// Tells who asked for a shell that is kept out.
    pub(super) fn tell_refused(&mut self, from: Option<&RootPath>, path: &[u8], reason: &Reason) {
        let asker = from.map_or_else(|| show(path).into_owned(), ToString::to_string);
        let says = format!("{} is left out by --no-shell: {}", show(path), reason.says(from));
        self.report(Message::Note(Note::new("shell-left-out", asker, says)));
    }

    /// Adds a path as spelled: a file, a symlink with its target, a directory with everything in it.
    pub(super) fn tree(
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
        // Symlinks between directories may form cycles, so enter each real directory once.
        let mut entered = BTreeSet::new();
        while let Some(path) = open.pop() {
            if is_without(&path) || self.state.is_excluded(&path) {
                continue;
            }
            let followed = root.follow(path.as_bytes())?;
            let taken = self.take(by, None, &RootPath::root(), path.as_bytes(), reason)?;
            let Some(real) = taken else {
                // A link whose target is too long leads nowhere, like any other that dangles.
                if followed.end == End::TooLong && path.as_bytes().len() > MAX_PATH {
                    return Err(too_long(&path));
                }
                if matches!(followed.end, End::Missing(_) | End::NotDirectory(_) | End::Loop) {
                    self.state.dangling.insert(path);
                }
                continue;
            };
            match root.meta(&real)?.map(|meta| meta.kind) {
                Some(FileKind::Dir) => {
                    let is_link = real.name() != path.name() || real.parent() != path.parent();
                    // Do not follow symlinks into a claimed directory; that claim's filter decides.
                    let is_claimed = is_claim
                        && self.state.claims.cover(&real)
                        && !std::iter::successors(Some(real.clone()), RootPath::parent).any(|dir| is_without(&dir));
                    let is_spared = is_link
                        && path != *start
                        && (is_claimed || is_too_wide(&real, &path) || is_claim && self.is_documented(&path, &real)?);
                    if !is_spared && entered.insert(real.clone()) {
                        open.extend(root.list(&real)?.into_iter().map(|name| path.join(&name)));
                    }
                }
                Some(FileKind::File) if *host != Host::None => self.plug(rule, &real, host)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// True if a link of a package leads to files that the packed program does not read, as `man` to all manual pages.
    fn is_documented(&self, link: &RootPath, real: &RootPath) -> Result<bool, Error> {
        Ok(system().not_run.cover(real) && self.state.world.owner(link)?.is_some())
    }

    /// Creates a file or directory. It takes precedence over that of the root, because it is created where the
    /// builder's own would be wrong. Only explicit requests of the user come first.
    pub(super) fn make(
        &mut self,
        rule: RuleId,
        path: &RootPath,
        kind: NodeKind,
        reason: Reason,
        merges: bool,
    ) -> Result<(), Error> {
        let reason = Arc::new(reason);
        let place = match path.parent() {
            // `/var/run` may be a symlink: an entry below it is created at the target.
            Some(parent) if !parent.is_root() => self
                .take(rule, None, &RootPath::root(), parent.as_bytes(), &reason)?
                .map_or_else(|| path.clone(), |real| real.join(path.name())),
            _ => path.clone(),
        };
        let is_included = |edge: &crate::closure::Edge| matches!(*edge.reason, Reason::Included { .. });
        let is_file = matches!(kind, NodeKind::MadeFile { .. });
        if is_file && (merges || !self.state.graph.reasons(&place).any(is_included)) {
            self.state.graph.replace(&place, kind, rule, &reason);
        } else {
            self.state.graph.add(None, &place, kind, rule, &reason);
        }
        Ok(())
    }

    /// Resolves an added ELF file: a program as a separate process, a library as a plug-in of a process.
    pub(super) fn plug(&mut self, rule: &'static Rule, real: &RootPath, host: &Host) -> Result<(), Error> {
        let (root, objects) = (self.state.world.root, self.state.world.objects);
        let host = self.state.host(host);
        if let Some(known) = host.and_then(|host| self.state.processes.plug_in(real, host)) {
            self.join(known, rule.id);
            return Ok(());
        }
        let key = (real.clone(), host);
        if self.not_elf.contains(&key) {
            return Ok(());
        }
        let magic = root.head(real, ELF_MAGIC.len())?;
        if let Some(host) = host.filter(|_| embedded::may_be_archive(&magic)) {
            self.examine(real, host);
        }
        if magic != ELF_MAGIC {
            self.not_elf.insert(key);
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

    /// Hands an archive, or a directory of classes, to the rules that read their contents.
    pub(super) fn examine(&mut self, real: &RootPath, host: ProcessId) {
        if self.archived.insert((real.clone(), host)) {
            self.state.archives.push((real.clone(), host));
            self.emit(Fact::Held(self.state.archives.len() - 1));
        }
    }

    pub(super) fn join(&mut self, id: ProcessId, rule: RuleId) {
        if self.state.processes.get_mut(id).rules.insert(rule) {
            self.emit(Fact::Resolved(id));
            if rule == SETTINGS {
                self.extend_launches(id);
            }
        }
    }

    /// Adds the libraries of a module that the configuration names to the launches of its server: it may bring an
    /// interpreter into it.
    fn extend_launches(&mut self, module: ProcessId) {
        let started = self.state.processes.get(module);
        let Some(program) = started.program else { return };
        let sonames: Vec<Vec<u8>> =
            started.own_objects().iter().filter_map(|object| object.elf.soname.clone()).collect();
        self.brought_in.entry(program).or_default().extend(sonames.iter().cloned());
        for launch in self.state.launches.of_process(program) {
            let known = &mut self.state.launches.get_mut(launch).sonames;
            let before = known.len();
            known.extend(sonames.iter().cloned());
            if known.len() > before {
                self.emit(Fact::Launched(launch));
            }
        }
    }

    /// Adds a resolved plug-in.
    pub(super) fn enter(
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
        if rule == SETTINGS {
            self.extend_launches(id);
        }
    }

    /// The process of a program. With a certainty, the program is started; without one, it is only a packed file.
    pub(super) fn program(
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
    pub(super) fn open(&mut self, rule: &'static Rule, open: Open) -> Result<(), Error> {
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
            Some(Missing::Named(message)) => self.report(message),
            None => {}
        }
        Ok(())
    }
}

/// The error for a path that no program can open, and no engine unpack.
fn too_long(path: &RootPath) -> Error {
    let start = String::from_utf8_lossy(&path.as_bytes()[..path.as_bytes().len().min(64)]).into_owned();
    let says =
        format!("a path of {} bytes is longer than Linux permits: {}…", path.as_bytes().len(), show(start.as_bytes()));
    Error::new("path-too-long", says).help("leave it out with --exclude, or name fewer directories")
}

/// True if the contents of a symlink's target directory should be left out: they are included anyway under their own
/// path, or the directory is so high up that the symlink is a shortcut, not a part of the requested files.
fn is_too_wide(real: &RootPath, link: &RootPath) -> bool {
    let is_top_level = real.parent().is_none_or(|parent| parent.is_root());
    is_top_level || link.is_within(real) || link.parent().is_some_and(|dir| real.is_within(&dir))
}
