//! The table of processes: programs by the path they are called by and the circumstances of their loader, plug-ins by
//! the process they are opened in.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::RuleId;
use crate::language::Certainty;
use crate::loader::{Conditions, Process};
use crate::path::RootPath;

/// The place of a process in [`Processes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessId(usize);

/// A process that was resolved, and how much it matters that it is whole.
#[derive(Clone, Debug)]
pub struct Started {
    /// What the loader does.
    pub process: Process,
    /// The circumstances in which it was resolved.
    pub conditions: Conditions,
    /// True if a library that it misses fails the build: true for programs that are started, false for files that a
    /// pattern brought in, which may never be loaded.
    pub required: bool,
    /// How sure it is that it runs. It only rises.
    pub certainty: Certainty,
    /// The program that a plug-in is opened in.
    pub(super) program: Option<ProcessId>,
    /// The rules that asked for it.
    pub(super) rules: BTreeSet<RuleId>,
}

impl Started {
    /// True for a plug-in or program that this rule asked for.
    pub(super) fn is_by(&self, rule: RuleId) -> bool {
        self.rules.contains(rule)
    }

    /// Every object but those of the process that a plug-in is opened in.
    pub fn own_objects(&self) -> &[std::rc::Rc<crate::loader::Loaded>] {
        &self.process.loaded[self.process.inherited.min(self.process.loaded.len())..]
    }
}

/// What a process is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Program(Vec<u8>, Circumstances),
    PlugIn(RootPath, ProcessId),
}

/// The part of [`Conditions`] that makes a difference. The working directory makes none where no name that the loader
/// looks at is relative.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Circumstances {
    library_path: Option<Vec<u8>>,
    preload: Option<Vec<u8>>,
    audit: Option<Vec<u8>>,
    cwd: Option<RootPath>,
}

impl Circumstances {
    fn of(conditions: &Conditions, cwd: Option<RootPath>) -> Self {
        let Conditions { library_path, preload, audit, .. } = conditions.clone();
        Self { library_path, preload, audit, cwd }
    }
}

/// Every process.
#[derive(Default)]
pub(super) struct Processes {
    all: Vec<Started>,
    ids: BTreeMap<Key, ProcessId>,
}

impl Processes {
    pub(super) fn into_vec(self) -> Vec<Started> {
        self.all
    }

    /// Every process in the order in which they were resolved.
    pub(super) fn as_slice(&self) -> &[Started] {
        &self.all
    }

    pub(super) fn get(&self, id: ProcessId) -> &Started {
        &self.all[id.0]
    }

    pub(super) fn get_mut(&mut self, id: ProcessId) -> &mut Started {
        &mut self.all[id.0]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ProcessId, &Started)> {
        self.all.iter().enumerate().map(|(at, started)| (ProcessId(at), started))
    }

    /// The process of a program called by a path.
    pub(super) fn program(&self, path: &[u8], conditions: &Conditions) -> Option<ProcessId> {
        let key = |cwd| Key::Program(path.to_vec(), Circumstances::of(conditions, cwd));
        self.ids.get(&key(None)).or_else(|| self.ids.get(&key(Some(conditions.cwd.clone())))).copied()
    }

    /// The process of a plug-in that was opened in another.
    pub(super) fn plug_in(&self, real: &RootPath, host: ProcessId) -> Option<ProcessId> {
        self.ids.get(&Key::PlugIn(real.clone(), host)).copied()
    }

    pub(super) fn insert_program(&mut self, path: &[u8], started: Started) -> ProcessId {
        let cwd = is_relative(&started).then(|| started.conditions.cwd.clone());
        let key = Key::Program(path.to_vec(), Circumstances::of(&started.conditions, cwd));
        self.insert(key, started)
    }

    pub(super) fn insert_plug_in(&mut self, real: RootPath, host: ProcessId, started: Started) -> ProcessId {
        self.insert(Key::PlugIn(real, host), started)
    }

    fn insert(&mut self, key: Key, started: Started) -> ProcessId {
        let id = ProcessId(self.all.len());
        self.ids.insert(key, id);
        self.all.push(started);
        id
    }

    /// The process in which plug-ins are opened if nothing says in which: the first program of the entry that has a
    /// loader.
    pub(super) fn main(&self) -> Option<ProcessId> {
        self.iter().find(|(_, started)| started.required && started.process.facts.is_some()).map(|(id, _)| id)
    }

    /// A program with a loader that has an object loaded: of several the surest, then the first by path.
    pub(super) fn with(&self, object: &RootPath) -> Option<ProcessId> {
        let has = |started: &Started| {
            started.process.facts.is_some() && started.process.loaded.iter().any(|loaded| loaded.real == *object)
        };
        let main = self.main();
        let order = |(id, started): &(ProcessId, &Started)| {
            let is_plug_in = started.program.is_some();
            let (path, real) = (started.process.loaded[0].path.clone(), started.process.subject().real.clone());
            (is_plug_in, Some(*id) != main, std::cmp::Reverse(started.certainty), path, real)
        };
        self.iter().filter(|(_, started)| has(started)).min_by_key(order).map(|(id, _)| id)
    }
}

/// True if what the loader finds depends on the working directory: a relative name, or a relative element of a list of
/// directories (ld.so(8); an empty element is the working directory).
fn is_relative(started: &Started) -> bool {
    let is_path = |path: &[u8]| path.starts_with(b"/") || path.starts_with(b"$");
    let lists = |list: &Option<Vec<u8>>| {
        list.iter().any(|list| list.split(|b| matches!(b, b':' | b';')).any(|part| !is_path(part)))
    };
    let names = |list: &Option<Vec<u8>>| {
        list.iter()
            .any(|list| list.split(|b| matches!(b, b':' | b' ')).any(|name| name.contains(&b'/') && !is_path(name)))
    };
    let Conditions { library_path, preload, audit, .. } = &started.conditions;
    let loaded = &started.process.loaded;
    let has_relative = |object: &crate::elf::ElfObject| {
        let needs = object.needed().any(|name| name.contains(&b'/') && !is_path(name));
        lists(&object.rpath)
            || lists(&object.runpath)
            || needs
            || object.interp.as_deref().is_some_and(|name| !is_path(name))
    };
    let is_called_so = loaded.first().is_some_and(|entry| !entry.path.starts_with(b"/"));
    is_called_so
        || lists(library_path)
        || names(preload)
        || names(audit)
        || loaded.iter().any(|object| has_relative(&object.elf))
}
