//! Assigns files to layers, if the image has several (`profiles/tables/layers.toml`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use crate::closure::{Closure, Edge, Reason};
use crate::error::Error;
use crate::language::runs_language;
use crate::layer::{Layering, MAX_LAYERS, Part, Slot, cut};
use crate::ledger::origin;
use crate::package::{self, Packages};
use crate::path::{RootPath, show};
use crate::plan::{Content, Item, ItemKind, Plan, PlannedTree};
use crate::root::Root;
use crate::world::tables::{Directories, Words, table};

/// Tables that assign files to layers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Places {
    package_names: Words,
    package_places: Directories,
    records: Directories,
    libraries: Directories,
    runtimes: Words,
}

table! {
    /// The table.
    fn places() -> Places = "layers"
}

/// Parses `one`, `split` or `split:N`.
///
/// # Errors
/// `bad-argument`.
pub(super) fn layering(text: &str) -> Result<Layering, Error> {
    let count = match text.split_once(':') {
        None if text == "one" => return Ok(Layering::One),
        None if text == "split" => Some(MAX_LAYERS),
        Some(("split", count)) => count.parse().ok().filter(|count| (2..=MAX_LAYERS).contains(count)),
        _ => None,
    };
    count.map(Layering::Split).ok_or_else(|| {
        Error::new("bad-argument", format!("--layers {} is not supported", show(text.as_bytes())))
            .help(format!("use one, split, or split:2 to split:{MAX_LAYERS}"))
    })
}

/// Cuts a plan into layers; none if the image has only one.
///
/// # Errors
/// `unreadable`, `bad-package-database`.
pub(super) fn parts(root: &Root, closure: &Closure, plan: &Plan, layering: Layering) -> Result<Vec<Part>, Error> {
    if layering == Layering::One {
        return Ok(Vec::new());
    }
    let slots = Slots::new(root, closure, plan)?;
    Ok(cut(plan, layering, &|path, item| slots.of(path, item)))
}

/// Data that decides about the layer of a file.
struct Slots<'a> {
    closure: &'a Closure,
    plan: &'a Plan,
    planned: Root,
    has_database: bool,
    owners: BTreeMap<RootPath, String>,
    /// Packages of the loader.
    of_loader: BTreeSet<String>,
    /// Packages of interpreters, and others of the same sources.
    of_runtimes: BTreeSet<String>,
    /// Interpreters that no package owns, with their libraries.
    runtime_files: BTreeSet<RootPath>,
    /// Layers of generated files of a language, by directory.
    made: RefCell<BTreeMap<RootPath, Slot>>,
}

impl<'a> Slots<'a> {
    fn new(root: &'a Root, closure: &'a Closure, plan: &'a Plan) -> Result<Self, Error> {
        let database = package::open(root)?;
        let origins = || plan.items.iter().filter_map(|(path, item)| origin(path, item)).cloned();
        let owners = match &database {
            Some(database) => database.owners(&origins().collect::<Vec<_>>())?,
            None => BTreeMap::new(),
        };
        let mut slots = Self {
            closure,
            plan,
            planned: Root::new(Arc::new(PlannedTree::new(plan, root.tree()))),
            has_database: database.is_some(),
            owners,
            of_loader: BTreeSet::new(),
            of_runtimes: BTreeSet::new(),
            runtime_files: BTreeSet::new(),
            made: RefCell::default(),
        };
        let loaders = plan.items.keys().filter(|path| closure.reasons(path).any(is_loader));
        slots.of_loader = loaders.filter_map(|path| slots.owners.get(path)).cloned().collect();
        slots.find_runtimes(database.as_deref());
        Ok(slots)
    }

    fn find_runtimes(&mut self, database: Option<&(dyn Packages + 'a)>) {
        let mut named = BTreeSet::new();
        for started in self.closure.processes() {
            let program = &started.process.subject().real;
            if !runs_language(&show(program.name())) {
                continue;
            }
            named.extend(self.owners.get(program).cloned());
            let objects = started.own_objects().iter().map(|object| object.real.clone());
            self.runtime_files.extend(objects.filter(|object| !self.owners.contains_key(object)));
        }
        let all: BTreeSet<&String> = self.owners.values().collect();
        let is_of_runtime = |package: &&&String| {
            let is_same_source =
                |known: &String| database.is_some_and(|database| database.is_same_source(known, package));
            named.contains(**package) || named.iter().any(is_same_source)
        };
        self.of_runtimes = all.iter().filter(is_of_runtime).map(|package| (*package).clone()).collect();
    }

    fn of(&self, path: &RootPath, item: &Item) -> Slot {
        let places = places();
        let is_of_packages = |dir: &RootPath| places.package_names.contain(dir.name());
        if places.package_places.cover(path) || path.ancestors().iter().any(is_of_packages) {
            return Slot::Packages;
        }
        let origin = origin(path, item);
        match origin.and_then(|origin| self.owners.get(origin)) {
            Some(_) if places.records.cover(path) => Slot::Records,
            Some(owner) if self.of_loader.contains(owner) => Slot::Loader,
            Some(owner) if self.of_runtimes.contains(owner) => Slot::Interpreter,
            Some(_) => Slot::Libraries,
            None => self.unowned(path, item),
        }
    }

    /// The layer of a file that belongs to no package.
    fn unowned(&self, path: &RootPath, item: &Item) -> Slot {
        if self.closure.reasons(path).any(is_loader) {
            return Slot::Loader;
        }
        let reason = self.closure.reasons(path).min_by_key(|edge| edge.reason.rank()).map(|edge| &*edge.reason);
        if self.runtime_files.contains(path) || reason.is_some_and(|reason| places().runtimes.contain(reason.group())) {
            return Slot::Interpreter;
        }
        if matches!(reason, Some(Reason::Made { .. })) {
            return self.beside(path);
        }
        let is_claimed = self.closure.claimed().iter().any(|dir| !dir.is_root() && path.is_within(dir));
        match (&item.kind, reason) {
            _ if is_claimed => Slot::Application,
            (ItemKind::Link(_), _) => self.behind_link(path),
            (ItemKind::File(Content::Made(_)), _) | (_, None) => Slot::Records,
            (_, Some(Reason::Profile { .. } | Reason::LoaderReads)) => Slot::Records,
            (ItemKind::Dir, Some(Reason::Companion { .. })) => Slot::Records,
            _ if !self.has_database && places().libraries.cover(path) => Slot::Libraries,
            _ => Slot::Application,
        }
    }

    /// The layer of the target of a symlink. Symlinks to directories belong to the layout of the root.
    fn behind_link(&self, path: &RootPath) -> Slot {
        let followed = self.planned.follow(path.as_bytes()).ok();
        let real = followed.as_ref().and_then(|followed| followed.found()).map(|(real, _)| real);
        match real.and_then(|real| Some((real, self.plan.items.get(real)?))) {
            Some((real, item)) if matches!(item.kind, ItemKind::File(_)) => self.of(real, item),
            _ => Slot::Records,
        }
    }

    /// The layer of the nearest file of the root, so that a file generated from a source, such as bytecode, is in the
    /// same layer.
    fn beside(&self, path: &RootPath) -> Slot {
        let Some(dir) = path.parent() else { return Slot::Application };
        if let Some(known) = self.made.borrow().get(&dir) {
            return *known;
        }
        let is_of_root = |item: &Item| matches!(item.kind, ItemKind::File(Content::FromRoot { .. }));
        let dirs = path.ancestors();
        let near = dirs.iter().rev().filter(|dir| !dir.is_root()).find_map(|dir| {
            let below = self.plan.items.range(dir.clone()..).take_while(|(path, _)| path.is_within(dir));
            below.into_iter().find(|(_, item)| is_of_root(item))
        });
        let slot = near.map_or(Slot::Records, |(path, item)| self.of(path, item));
        self.made.borrow_mut().insert(dir, slot);
        slot
    }
}

/// True for the ELF interpreter of a program, and for links on the way to it.
fn is_loader(edge: &Edge) -> bool {
    let is_it = |reason: &Reason| match reason {
        Reason::Interpreter => true,
        Reason::Hop { to, .. } => matches!(**to, Reason::Interpreter),
        _ => false,
    };
    is_it(&edge.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_named_by_words() {
        assert_eq!(layering("one").ok(), Some(Layering::One));
        assert_eq!(layering("split").ok(), Some(Layering::Split(MAX_LAYERS)));
        assert_eq!(layering("split:2").ok(), Some(Layering::Split(2)));
        for text in ["", "two", "one:1", "split:", "split:1", "split:7", "split:-1", "split:2:3", "Split"] {
            assert_eq!(layering(text).err().map(|error| error.code), Some("bad-argument"), "{text}");
        }
    }
}
