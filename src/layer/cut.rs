//! Splits a plan into several layers by how often their files change, so that a push sends only changed layers.
//!
//! The layer of a file depends only on the file, so that additional files move none to another layer. Each layer
//! contains all parent directories of its files, with their modes and owners, so it does not depend on the contents of
//! other layers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::path::RootPath;
use crate::plan::{Item, ItemKind, Items, Plan};

/// The kind of a file by how often it changes, the most stable first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The ELF interpreter and the C library.
    Loader,
    /// Libraries and programs of the distribution.
    Libraries,
    /// Interpreters and their libraries.
    Interpreter,
    /// Packages of languages.
    Packages,
    /// Package records, licences, accounts and settings.
    Records,
    /// The application.
    Application,
}

impl Slot {
    /// Title of the layer, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Loader => "loader and C library",
            Self::Libraries => "distribution",
            Self::Interpreter => "interpreter",
            Self::Packages => "language packages",
            Self::Records => "records and settings",
            Self::Application => "application",
        }
    }
}

/// Maximum number of layers.
pub const MAX_LAYERS: usize = ALL.len();

const ALL: [Slot; 6] =
    [Slot::Loader, Slot::Libraries, Slot::Interpreter, Slot::Packages, Slot::Records, Slot::Application];

/// Number of layers of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layering {
    /// One.
    #[default]
    One,
    /// At most this many, from 2 to [`MAX_LAYERS`]; kinds without files have none.
    Split(usize),
}

impl Layering {
    /// The kinds that share a layer, the lowest layer first. The application always has its own.
    fn groups(self) -> &'static [&'static [Slot]] {
        use Slot::{Application, Interpreter, Libraries, Loader, Packages, Records};
        match self {
            Self::One => &[&ALL],
            Self::Split(..=2) => &[&[Loader, Libraries, Interpreter, Packages, Records], &[Application]],
            Self::Split(3) => &[&[Loader, Libraries, Interpreter, Records], &[Packages], &[Application]],
            Self::Split(4) => &[&[Loader, Libraries, Interpreter], &[Packages], &[Records], &[Application]],
            Self::Split(5) => &[&[Loader, Libraries], &[Interpreter], &[Packages], &[Records], &[Application]],
            Self::Split(_) => &[&[Loader], &[Libraries], &[Interpreter], &[Packages], &[Records], &[Application]],
        }
    }
}

/// The files of one layer.
#[derive(Clone, Debug)]
pub struct Part {
    /// Title, for people.
    pub title: String,
    /// Its entries, with all directories above them.
    pub plan: Plan,
}

/// Cuts a plan into layers, the lowest first. A hard link is in the layer of its first name.
pub fn cut(plan: &Plan, layering: Layering, slot_of: &dyn Fn(&RootPath, &Item) -> Slot) -> Vec<Part> {
    let mut parts: BTreeMap<Slot, BTreeMap<RootPath, Item>> = BTreeMap::new();
    let shared = dirs_with_entries(plan);
    for (path, item) in &*plan.items {
        if matches!(item.kind, ItemKind::Dir) && shared.contains(path) {
            continue;
        }
        let slot = match &item.kind {
            ItemKind::HardLink(first) => plan.items.get(first).map_or(Slot::Application, |item| slot_of(first, item)),
            _ => slot_of(path, item),
        };
        let part = parts.entry(slot).or_default();
        for dir in path.ancestors().into_iter().rev() {
            match plan.items.get(&dir) {
                Some(above) if !part.contains_key(&dir) => drop(part.insert(dir, above.clone())),
                _ => {}
            }
        }
        part.insert(path.clone(), item.clone());
    }
    let mut found = Vec::new();
    for group in layering.groups() {
        let items: Items = group
            .iter()
            .filter_map(|slot| parts.get(slot))
            .flatten()
            .map(|(path, item)| (path.clone(), item.clone()))
            .collect();
        if !items.is_empty() {
            let has = |slot: &&Slot| parts.contains_key(slot);
            let title = group.iter().filter(has).map(|slot| slot.title()).collect::<Vec<_>>().join(", ");
            found.push(Part { title, plan: Plan { items: Arc::new(items), epoch: plan.epoch, ..Plan::default() } });
        }
    }
    found
}

/// Directories above others of the plan: they are in each layer that has something below them.
fn dirs_with_entries(plan: &Plan) -> BTreeSet<RootPath> {
    plan.items.keys().filter_map(RootPath::parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Content;

    fn item(kind: ItemKind) -> Item {
        Item { kind, mode: 0o755, uid: 0, gid: 0, xattrs: Vec::new() }
    }

    fn plan(files: &[&str]) -> Plan {
        let mut items = BTreeMap::new();
        for file in files {
            let path = RootPath::new(file).expect("clean");
            for dir in path.ancestors().into_iter().filter(|dir| !dir.is_root()) {
                items.insert(dir, item(ItemKind::Dir));
            }
            items.insert(path, item(ItemKind::File(Content::Made((*file).as_bytes().into()))));
        }
        Plan { items: Arc::new(items.into_iter().collect()), ..Plan::default() }
    }

    fn slot(path: &RootPath, _: &Item) -> Slot {
        if path.as_bytes().starts_with(b"/usr/lib") { Slot::Libraries } else { Slot::Application }
    }

    fn shown(parts: &[Part]) -> Vec<(String, Vec<String>)> {
        let paths = |part: &Part| part.plan.items.keys().map(ToString::to_string).collect();
        parts.iter().map(|part| (part.title.clone(), paths(part))).collect()
    }

    #[test]
    fn a_layer_has_its_files_and_the_directories_above_them() {
        let parts = cut(&plan(&["/usr/lib/a", "/usr/app/b"]), Layering::Split(6), &slot);
        let expected = [
            ("distribution", vec!["/usr", "/usr/lib", "/usr/lib/a"]),
            ("application", vec!["/usr", "/usr/app", "/usr/app/b"]),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(title, paths)| (title.to_owned(), paths.into_iter().map(str::to_owned).collect::<Vec<_>>()))
            .collect();
        assert_eq!(shown(&parts), expected);
    }

    #[test]
    fn added_files_move_none() {
        let before = shown(&cut(&plan(&["/usr/lib/a", "/app/b"]), Layering::Split(6), &slot));
        let after = shown(&cut(&plan(&["/usr/lib/a", "/app/b", "/usr/share/c", "/d"]), Layering::Split(6), &slot));
        assert_eq!(before[0], after[0]);
        assert_ne!(before[1], after[1]);
    }

    #[test]
    fn fewer_layers_leave_the_application_alone() {
        for count in 2..=MAX_LAYERS {
            let groups = Layering::Split(count).groups();
            assert_eq!(groups.len(), count);
            assert_eq!(groups.last(), Some(&&[Slot::Application][..]));
            let all: BTreeSet<Slot> = groups.iter().flat_map(|group| group.iter().copied()).collect();
            assert_eq!(all, ALL.into_iter().collect());
        }
    }

    #[test]
    fn a_hard_link_is_where_its_first_name_is() {
        let mut plan = plan(&["/usr/lib/a"]);
        let first = RootPath::new("/usr/lib/a").expect("clean");
        Arc::make_mut(&mut plan.items).insert(RootPath::new("/z").expect("clean"), item(ItemKind::HardLink(first)));
        assert_eq!(cut(&plan, Layering::Split(6), &slot).len(), 1);
    }
}
