//! The names of an image as a tree of small nodes: an image may have millions of entries. A path costs only the parts
//! that no other path has.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::path::RootPath;
use crate::root::FileKind;

/// The place of a node. Places are never used again, so a node that was removed cannot be mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

impl Id {
    /// The root directory; also the end of a list of children, because the root is nobody's child.
    pub(super) const ROOT: Self = Self(0);

    fn at(self) -> usize {
        self.0 as usize
    }
}

/// An entry of an image without its name. Owners and attributes are numbers of lists, in which equal ones are one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Size of a file, length of the target of a symlink.
    pub(super) size: u64,
    /// Offset of a file in the contents or in the layers that are read where they lie, of a target in the texts; the first child of a directory.
    pub(super) start: u64,
    /// Hard links share it.
    pub(super) inode: u32,
    pub(super) owner: u32,
    pub(super) attributes: u32,
    /// The number of its layer.
    pub(super) layer: u16,
    bits: u16,
}

const MODE: u16 = 0o7777;
const KIND: u16 = 12;
const IN_PLACE: u16 = 1 << 14;
const GONE: u16 = 1 << 15;
const KINDS: [FileKind; 4] = [FileKind::File, FileKind::Dir, FileKind::Link, FileKind::Other];

impl Entry {
    pub(super) fn new(kind: FileKind, mode: u32, owner: u32, inode: u32, layer: u16) -> Self {
        let kind = KINDS.iter().position(|known| *known == kind).unwrap_or_default() as u16;
        let bits = (mode as u16 & MODE) | kind << KIND;
        Self { size: 0, start: 0, inode, owner, attributes: 0, layer, bits }
    }

    pub(super) fn kind(&self) -> FileKind {
        KINDS[usize::from(self.bits >> KIND & 3)]
    }

    pub(super) fn mode(&self) -> u32 {
        u32::from(self.bits & MODE)
    }

    /// True if the file is read where its layer lies.
    pub(super) fn is_in_place(&self) -> bool {
        self.bits & IN_PLACE != 0
    }

    pub(super) fn stay_in_place(&mut self) {
        self.bits |= IN_PLACE;
    }

    /// The same entry as part of a layer.
    pub(super) fn in_layer(self, layer: u16) -> Self {
        Self { layer, ..self }
    }

    fn is_dir(&self) -> bool {
        self.kind() == FileKind::Dir
    }

    fn is_gone(&self) -> bool {
        self.bits & GONE != 0
    }
}

struct Node {
    entry: Entry,
    parent: Id,
    /// The next child of the same directory.
    next: Id,
    /// Offset and length of its name.
    name: u32,
    length: u8,
}

/// What a node takes besides its name: itself, and its share of the table.
pub(super) const NODE_MEMORY: usize = size_of::<Node>() + 10;

/// A tree of entries.
pub(super) struct Nodes {
    all: Vec<Node>,
    names: Vec<u8>,
    /// Nodes by parent and name.
    places: HashTable<u32>,
    hasher: RandomState,
    /// The path that was looked up last. The next one is mostly near it, and the way from the root may be long.
    last: Mutex<(RootPath, Id)>,
}

impl Nodes {
    /// A tree with a root directory.
    pub(super) fn new(root: Entry) -> Self {
        let root = Node { entry: root, parent: Id::ROOT, next: Id::ROOT, name: 0, length: 0 };
        let (names, places, hasher) = Default::default();
        Self { all: vec![root], names, places, hasher, last: Mutex::new((RootPath::root(), Id::ROOT)) }
    }

    /// Memory that the tree takes, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.all.len() * NODE_MEMORY + self.names.len()
    }

    pub(super) fn entry(&self, id: Id) -> &Entry {
        &self.all[id.at()].entry
    }

    fn name(&self, id: Id) -> &[u8] {
        let node = &self.all[id.at()];
        &self.names[node.name as usize..][..usize::from(node.length)]
    }

    fn child(&self, parent: Id, name: &[u8]) -> Option<Id> {
        let is_it = |at: &u32| self.all[*at as usize].parent == parent && self.name(Id(*at)) == name;
        self.places.find(self.hasher.hash_one((parent.0, name)), is_it).copied().map(Id)
    }

    /// The entry at a path, if there is one.
    pub(super) fn find(&self, path: &RootPath) -> Option<Id> {
        let (mut at, rest) = self.near(path);
        for part in parts(rest) {
            at = self.child(at, part).filter(|id| !self.entry(*id).is_gone())?;
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = (path.clone(), at);
        Some(at)
    }

    /// The deepest directory that a path shares with the last one, and the rest of the path.
    fn near<'p>(&self, path: &'p RootPath) -> (Id, &'p [u8]) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, wanted) = (last.0.relative(), path.relative());
        // Mostly a path is below the last one, or beside it.
        let beside = known.iter().rposition(|b| *b == b'/').unwrap_or(0);
        let same = match [known.len(), beside].into_iter().find(|end| wanted.starts_with(&known[..*end])) {
            Some(end) => end,
            None => known.iter().zip(wanted).take_while(|(a, b)| a == b).count(),
        };
        let is_end = |bytes: &[u8]| matches!(bytes.get(same), None | Some(b'/'));
        let common = match is_end(known) && is_end(wanted) {
            true => same,
            false => known[..same].iter().rposition(|b| *b == b'/').unwrap_or(0),
        };
        let up = parts(&known[common..]).count();
        let at = (0..up).fold(last.1, |at, _| self.all[at.at()].parent);
        (at, &wanted[common..])
    }

    /// Forgets the last path, which may be gone.
    fn forget(&mut self) {
        *self.last.get_mut().unwrap_or_else(PoisonError::into_inner) = (RootPath::root(), Id::ROOT);
    }

    /// The children of a directory, in no order.
    pub(super) fn children(&self, dir: Id) -> impl Iterator<Item = Id> + '_ {
        self.list(dir).filter(|id| !self.entry(*id).is_gone())
    }

    /// The names in a directory, sorted.
    pub(super) fn names(&self, dir: Id) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = self.children(dir).map(|id| self.name(id).to_vec()).collect();
        names.sort_unstable();
        names
    }

    /// Also children that are gone.
    fn list(&self, dir: Id) -> impl Iterator<Item = Id> + '_ {
        let first = if self.entry(dir).is_dir() { Id(self.entry(dir).start as u32) } else { Id::ROOT };
        let valid = |id: Id| (id != Id::ROOT).then_some(id);
        std::iter::successors(valid(first), move |id| valid(self.all[id.at()].next))
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.all.iter().map(|node| &node.entry).filter(|entry| !entry.is_gone())
    }

    /// Sets the entry at a path. A directory keeps its contents, anything else removes what was below. Directories
    /// above it that are missing or no directories come from `made`.
    pub(super) fn put(&mut self, path: &RootPath, entry: Entry, made: &mut dyn FnMut() -> Entry) {
        let (mut at, rest) = self.near(path);
        let mut left = parts(rest).peekable();
        if left.peek().is_none() {
            return self.replace(at, entry);
        }
        while let Some(part) = left.next() {
            if !self.entry(at).is_dir() || self.entry(at).is_gone() {
                self.replace(at, made());
            }
            at = match self.child(at, part) {
                Some(known) => known,
                None => self.add(at, part, &entry),
            };
            if left.peek().is_none() {
                self.replace(at, entry);
            }
        }
        *self.last.get_mut().unwrap_or_else(PoisonError::into_inner) = (path.clone(), at);
    }

    /// Adds a child that is gone, like `entry` otherwise.
    fn add(&mut self, parent: Id, name: &[u8], entry: &Entry) -> Id {
        let id = Id(self.all.len() as u32);
        let next = Id(self.entry(parent).start as u32);
        // Names are no longer than 255 bytes, and all of them together shorter than the limit on memory.
        let (start, length) = (self.names.len() as u32, name.len() as u8);
        self.names.extend_from_slice(&name[..usize::from(length)]);
        let entry = Entry { bits: GONE, ..*entry };
        self.all.push(Node { entry, parent, next, name: start, length });
        self.all[parent.at()].entry.start = u64::from(id.0);
        let hash = self.hasher.hash_one((parent.0, name));
        let (all, names, hasher) = (&self.all, &self.names, &self.hasher);
        self.places.insert_unique(hash, id.0, |at| {
            let node = &all[*at as usize];
            hasher.hash_one((node.parent.0, &names[node.name as usize..][..usize::from(node.length)]))
        });
        id
    }

    fn replace(&mut self, id: Id, entry: Entry) {
        let old = *self.entry(id);
        let has_children = old.is_dir() && !old.is_gone();
        if has_children && !entry.is_dir() {
            self.detach(id);
        }
        let start = match (entry.is_dir(), has_children) {
            (false, _) => entry.start,
            (true, true) => old.start,
            (true, false) => 0,
        };
        self.all[id.at()].entry = Entry { start, ..entry };
    }

    /// Removes everything below a directory.
    fn detach(&mut self, dir: Id) {
        self.forget();
        let mut open = vec![dir];
        while let Some(dir) = open.pop() {
            let below: Vec<Id> = self.list(dir).collect();
            for id in below {
                if self.entry(id).is_dir() {
                    open.push(id);
                }
                self.unplace(id);
                self.all[id.at()].entry.bits |= GONE;
            }
            self.all[dir.at()].entry.start = 0;
        }
    }

    fn unplace(&mut self, id: Id) {
        let hash = self.hasher.hash_one((self.all[id.at()].parent.0, self.name(id)));
        if let Ok(place) = self.places.find_entry(hash, |at| *at == id.0) {
            place.remove();
        }
    }

    /// Carries out the whiteouts of a layer: removes these entries with everything below (or, if the flag is set, only
    /// what is below), except what the layer itself has. A directory that is removed but contains something of the
    /// layer comes from `made`. Each directory is visited once, however many whiteouts are above it.
    pub(super) fn sweep(&mut self, whiteouts: &[(Id, bool)], layer: u16, made: &mut dyn FnMut() -> Entry) {
        self.forget();
        let mut done = HashSet::new();
        for (id, is_below) in whiteouts {
            self.sweep_below(*id, layer, &mut done, made);
            if !is_below && *id != Id::ROOT {
                self.settle(*id, layer, made);
            }
        }
    }

    fn sweep_below(&mut self, dir: Id, layer: u16, done: &mut HashSet<Id>, made: &mut dyn FnMut() -> Entry) {
        let is_open = |entry: &Entry| entry.is_dir() && !entry.is_gone();
        if !is_open(self.entry(dir)) || !done.insert(dir) {
            return;
        }
        let mut order = vec![dir];
        let mut at = 0;
        while let Some(dir) = order.get(at).copied() {
            order.extend(self.list(dir).filter(|id| is_open(self.entry(*id)) && done.insert(*id)));
            at += 1;
        }
        for dir in order.into_iter().rev() {
            let below: Vec<Id> = self.list(dir).collect();
            let mut first = Id::ROOT;
            for id in below.into_iter().rev() {
                self.settle(id, layer, made);
                if self.entry(id).is_gone() {
                    self.unplace(id);
                } else {
                    self.all[id.at()].next = first;
                    first = id;
                }
            }
            self.all[dir.at()].entry.start = u64::from(first.0);
        }
    }

    /// Removes an entry below which everything was swept.
    fn settle(&mut self, id: Id, layer: u16, made: &mut dyn FnMut() -> Entry) {
        let entry = *self.entry(id);
        if entry.is_gone() || entry.layer == layer {
            return;
        }
        if entry.is_dir() && self.children(id).next().is_some() {
            self.replace(id, made());
        } else {
            self.all[id.at()].entry.bits |= GONE;
        }
    }
}

fn parts(relative: &[u8]) -> impl Iterator<Item = &[u8]> {
    relative.split(|b| *b == b'/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The judge: a map of paths, with the rules of layer.md one by one.
    #[derive(Default)]
    struct Model(BTreeMap<RootPath, (bool, u16)>);

    impl Model {
        fn put(&mut self, path: &RootPath, is_dir: bool, layer: u16) {
            for above in path.ancestors().into_iter().filter(|above| !above.is_root()) {
                if self.0.get(&above).is_none_or(|(is_dir, _)| !is_dir) {
                    self.0.insert(above, (true, layer));
                }
            }
            if !is_dir {
                self.0.retain(|known, _| known == path || !known.is_within(path));
            }
            self.0.insert(path.clone(), (is_dir, layer));
        }

        fn whiteout(&mut self, path: &RootPath, is_below: bool, layer: u16) {
            let is_hit = |known: &RootPath| known.is_within(path) && !(is_below && known == path);
            self.0.retain(|known, (_, of)| *of == layer || !is_hit(known));
            let own: Vec<RootPath> = self.0.keys().filter(|known| is_hit(known)).cloned().collect();
            for above in own.iter().flat_map(RootPath::ancestors).filter(|above| !above.is_root()) {
                self.0.entry(above).or_insert((true, layer));
            }
        }
    }

    fn path(number: u32) -> RootPath {
        let names = [b"a", b"b", b"c"];
        let depth = number % 4 + 1;
        let part = |at: u32| names[(number / 4 / 3_u32.pow(at) % 3) as usize];
        (0..depth).fold(RootPath::root(), |path, at| path.join(part(at)))
    }

    fn below(nodes: &Nodes, dir: Id, at: &RootPath, found: &mut BTreeMap<RootPath, (bool, u16)>) {
        for name in nodes.names(dir) {
            let path = at.join(&name);
            let id = nodes.find(&path).expect("it is listed");
            found.insert(path.clone(), (nodes.entry(id).is_dir(), nodes.entry(id).layer));
            below(nodes, id, &path, found);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn layers_apply_as_the_specification_says(
            layers in prop::collection::vec(prop::collection::vec((0..324_u32, 0..5_u32), 0..12), 1..5),
        ) {
            let dir = |layer| Entry::new(FileKind::Dir, 0o755, 0, 0, layer);
            let (mut nodes, mut model) = (Nodes::new(dir(0)), Model::default());
            for (layer, steps) in (0..).zip(layers) {
                let mut whiteouts = Vec::new();
                let mut hidden = Vec::new();
                for (number, what) in steps {
                    let path = path(number);
                    if what >= 3 {
                        hidden.push((path.clone(), what == 4));
                        whiteouts.extend(nodes.find(&path).map(|id| (id, what == 4)));
                    } else {
                        let kind = if what == 0 { FileKind::Dir } else { FileKind::File };
                        let entry = Entry::new(kind, 0o644, 0, 0, layer);
                        nodes.put(&path, entry, &mut || dir(layer));
                        model.put(&path, what == 0, layer);
                    }
                }
                nodes.sweep(&whiteouts, layer, &mut || dir(layer));
                for (path, is_below) in &hidden {
                    model.whiteout(path, *is_below, layer);
                }
                let mut found = BTreeMap::new();
                below(&nodes, Id::ROOT, &RootPath::root(), &mut found);
                prop_assert_eq!(&found, &model.0);
            }
        }
    }

    #[test]
    fn a_node_is_small() {
        assert!(size_of::<Node>() <= 48, "{}", size_of::<Node>());
    }
}
