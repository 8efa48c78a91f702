//! The table of processes: programs by path and loader conditions, plug-ins by the process in which they are opened.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rules::RuleId;
use crate::language::Certainty;
use crate::loader::{Conditions, Process};
use crate::path::RootPath;

/// The index of a process in [`Processes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ProcessId(usize);

/// A resolved process, and how important it is that nothing is missing.
#[derive(Clone, Debug)]
pub struct Started {
    /// The result of the loader.
    pub process: Process,
    /// The conditions under which it was resolved.
    pub conditions: Conditions,
    /// True if a missing library fails the build: for programs that are started. False for files that a pattern added,
    /// which may never be loaded.
    pub required: bool,
    /// Certainty that it runs; this never decreases.
    pub certainty: Certainty,
    /// The program in which a plug-in is opened.
    pub(super) program: Option<ProcessId>,
    /// The rules that requested it.
    pub(super) rules: BTreeSet<RuleId>,
}

impl Started {
    /// True if this rule requested it.
    pub(super) fn is_by(&self, rule: RuleId) -> bool {
        self.rules.contains(rule)
    }

    /// All objects except those of the process in which a plug-in is opened.
    pub fn own_objects(&self) -> &[std::rc::Rc<crate::loader::Loaded>] {
        &self.process.loaded[self.process.inherited.min(self.process.loaded.len())..]
    }
}

/// The key of a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Program(Vec<u8>, Circumstances),
    PlugIn(RootPath, ProcessId),
}

/// The relevant part of [`Conditions`]. The working directory matters only if the loader uses a relative name.
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
    /// The processes that have loaded an object.
    loaded: HashMap<RootPath, Vec<ProcessId>>,
    /// Libraries of programs that are started, each once, in the order in which they became known.
    libraries: Vec<RootPath>,
    known_libraries: HashSet<RootPath>,
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

    /// Libraries of programs that are started, each once.
    pub(super) fn libraries(&self) -> &[RootPath] {
        &self.libraries
    }

    /// Adds the libraries of a program that is started.
    pub(super) fn add_libraries(&mut self, id: ProcessId) {
        let started = &self.all[id.0];
        if started.program.is_none() && started.required {
            for object in started.process.loaded.iter().skip(1) {
                if self.known_libraries.insert(object.real.clone()) {
                    self.libraries.push(object.real.clone());
                }
            }
        }
    }

    /// The process of a program called through a path.
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
        for object in &started.process.loaded {
            self.loaded.entry(object.real.clone()).or_default().push(id);
        }
        self.all.push(started);
        id
    }

    /// The default process in which plug-ins are opened: the first program of the entry that has a loader.
    pub(super) fn main(&self) -> Option<ProcessId> {
        self.iter().find(|(_, started)| started.required && started.process.constants.is_some()).map(|(id, _)| id)
    }

    /// A program with a loader that has loaded the object: the most certain one, then the first by path.
    pub(super) fn with(&self, object: &RootPath) -> Option<ProcessId> {
        let main = self.main();
        let order = |id: &ProcessId| {
            let started = self.get(*id);
            let is_plug_in = started.program.is_some();
            let (path, real) = (started.process.loaded[0].path.clone(), started.process.subject().real.clone());
            (is_plug_in, Some(*id) != main, std::cmp::Reverse(started.certainty), path, real)
        };
        let has_loader = |id: &ProcessId| self.get(*id).process.constants.is_some();
        self.loading(object).iter().copied().filter(has_loader).min_by_key(order)
    }

    /// The processes that have loaded an object.
    pub(super) fn loading(&self, object: &RootPath) -> &[ProcessId] {
        self.loaded.get(object).map_or(&[], Vec::as_slice)
    }
}

/// True if the loader's result depends on the working directory: a relative name, or a relative element in a directory
/// list (ld.so(8); an empty element means the working directory).
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
