//! The files of the image and the reasons for each: nodes and edges.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::{Deref, RangeFrom};
use std::sync::Arc;

use super::Reason;
use super::rules::RuleId;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Meta, Root};

/// An entry of the image.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// A file of the root.
    File(Meta),
    /// A directory of the root.
    Dir(Meta),
    /// A symlink of the root, with its target. Boxed to keep the enum small, because nearly all paths are files.
    Link(Box<Meta>, Box<[u8]>),
    /// A generated file.
    MadeFile {
        /// Permission bits.
        mode: u32,
        /// Content.
        bytes: Arc<[u8]>,
    },
    /// A generated directory.
    MadeDir {
        /// Permission bits.
        mode: u32,
        /// Owner and group.
        owner: (u32, u32),
    },
}

impl NodeKind {
    /// Bytes of content.
    pub fn size(&self) -> u64 {
        match self {
            Self::File(meta) => meta.size,
            Self::MadeFile { bytes, .. } => bytes.len() as u64,
            _ => 0,
        }
    }

    /// True for a regular file, from the root or generated.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::MadeFile { .. })
    }
}

/// One reason for one path.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The required path.
    pub to: RootPath,
    cause: Arc<Cause>,
}

/// The cause that requires a path: the same for all files of a directory.
#[derive(Debug)]
pub struct Cause {
    /// The file that requires it; `None` for the user or a profile.
    pub from: Option<RootPath>,
    /// The rule that found it.
    pub rule: RuleId,
    /// The reason.
    pub reason: Arc<Reason>,
}

impl Deref for Edge {
    type Target = Cause;

    fn deref(&self) -> &Cause {
        &self.cause
    }
}

impl Cause {
    fn is(&self, from: Option<&RootPath>, rule: RuleId, reason: &Arc<Reason>) -> bool {
        // The reasons for a library differ in the file that needs it.
        let is_same = || Arc::ptr_eq(&self.reason, reason) || self.reason == *reason;
        self.from.as_ref() == from && self.rule == rule && is_same()
    }
}

/// Files with their reasons. Paths are real: no parent is a symlink.
///
/// An image may have a million files. B-trees that are filled in order are half empty, so the map contains only indexes
/// into lists.
#[derive(Default)]
pub struct Graph {
    places: BTreeMap<RootPath, u32>,
    kinds: Vec<NodeKind>,
    /// The last reason for each path, and for each reason the one before it for the same path: nearly all paths have
    /// one reason.
    last: Vec<u32>,
    edges: Vec<Edge>,
    previous: Vec<u32>,
    /// Digests of the reasons for paths that have many: a table of commands may start a program a hundred thousand times.
    crowded: HashMap<u32, HashSet<u64>>,
    hasher: RandomState,
}

/// The number of reasons for one path that are compared one by one.
const FEW: usize = 32;

/// All paths of a graph with their entries, sorted.
#[derive(Clone, Copy)]
pub struct Nodes<'a> {
    graph: &'a Graph,
}

impl<'a> Nodes<'a> {
    /// Each path with its entry.
    pub fn iter(self) -> impl Iterator<Item = (&'a RootPath, &'a NodeKind)> {
        self.graph.places.iter().map(move |(path, place)| (path, &self.graph.kinds[*place as usize]))
    }

    /// The paths.
    pub fn keys(self) -> impl Iterator<Item = &'a RootPath> {
        self.graph.places.keys()
    }

    /// This path and those after it.
    pub fn range(self, range: RangeFrom<RootPath>) -> impl Iterator<Item = (&'a RootPath, &'a NodeKind)> {
        self.graph.places.range(range).map(move |(path, place)| (path, &self.graph.kinds[*place as usize]))
    }

    /// The number of paths.
    pub fn len(self) -> usize {
        self.graph.places.len()
    }

    /// True if there are none.
    pub fn is_empty(self) -> bool {
        self.graph.places.is_empty()
    }
}

/// Stands for no reason before this one.
const FIRST: u32 = u32::MAX;

/// The result of adding a path.
pub(super) enum Taken {
    /// The path leads to this file or directory, which is now in the graph.
    Real(RootPath),
    /// It leads to a device, socket or pipe.
    NotPacked(RootPath),
    /// The path leads nowhere.
    Nothing,
}

impl Graph {
    /// All paths with their entries.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes { graph: self }
    }

    /// All reasons.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The entry at a path.
    pub fn get(&self, path: &RootPath) -> Option<&NodeKind> {
        self.places.get(path).map(|place| &self.kinds[*place as usize])
    }

    /// True if the path is in the image.
    pub fn contains(&self, path: &RootPath) -> bool {
        self.places.contains_key(path)
    }

    /// The reasons for a path.
    pub fn reasons(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        let mut known: Vec<&Edge> = self.newest_first(path).collect();
        known.reverse();
        known.into_iter()
    }

    fn newest_first(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        self.places.get(path).into_iter().flat_map(|place| self.newest_at(*place as usize))
    }

    fn newest_at(&self, place: usize) -> impl Iterator<Item = &Edge> {
        let is_some = |at: u32| (at != FIRST).then_some(at);
        let first = is_some(self.last[place]);
        let all = std::iter::successors(first, move |at| is_some(self.previous[*at as usize]));
        all.map(|at| &self.edges[at as usize])
    }

    /// Adds the file or directory that a path leads to, with every symlink on the way.
    ///
    /// # Errors
    /// `unreadable`.
    pub(super) fn take(
        &mut self,
        root: &Root,
        from: Option<&RootPath>,
        cwd: &RootPath,
        path: &[u8],
        (rule, reason): (RuleId, &Arc<Reason>),
    ) -> Result<Taken, Error> {
        let followed = root.follow_from(cwd, path)?;
        // Every symlink on the way is required by the origin of the path, not by the previous symlink: one such as /lib
        // is on the way to many files.
        for dir in &followed.passed {
            if let Some(meta) = root.meta(dir)?.filter(|meta| meta.kind == FileKind::Dir) {
                let passed = Arc::new(Reason::PassedThrough { path: path.to_vec() });
                self.add(from, dir, NodeKind::Dir(meta), rule, &passed);
            }
        }
        for hop in &followed.hops {
            if let Some(meta) = root.meta(&hop.link)? {
                let hopped = Arc::new(Reason::Hop { path: path.to_vec(), to: Arc::clone(reason) });
                self.add(from, &hop.link, NodeKind::Link(Box::new(meta), hop.text.as_slice().into()), rule, &hopped);
            }
        }
        let Some((real, meta)) = followed.found() else { return Ok(Taken::Nothing) };
        let kind = match meta.kind {
            FileKind::File => NodeKind::File(*meta),
            FileKind::Dir => NodeKind::Dir(*meta),
            FileKind::Link | FileKind::Other => return Ok(Taken::NotPacked(real.clone())),
        };
        self.add(from, real, kind, rule, reason);
        Ok(Taken::Real(real.clone()))
    }

    /// Adds one path with its reason. The first node at a path stays; equal reasons of one rule are kept once.
    pub(super) fn add(
        &mut self,
        from: Option<&RootPath>,
        to: &RootPath,
        kind: NodeKind,
        rule: RuleId,
        reason: &Arc<Reason>,
    ) {
        let place = self.place(to, kind);
        if self.has(place, from, rule, reason) {
            return;
        }
        let own = number(self.edges.len());
        self.previous.push(std::mem::replace(&mut self.last[place], own));
        let shared = self.edges.last().filter(|edge| edge.is(from, rule, reason)).map(|edge| Arc::clone(&edge.cause));
        let cause = shared.unwrap_or_else(|| Arc::new(Cause { from: from.cloned(), rule, reason: Arc::clone(reason) }));
        self.edges.push(Edge { to: to.clone(), cause });
    }

    /// True if a path has this reason already.
    fn has(&mut self, place: usize, from: Option<&RootPath>, rule: RuleId, reason: &Arc<Reason>) -> bool {
        let digest = |hasher: &RandomState, from, reason: &Reason| hasher.hash_one((from, rule, reason));
        if let Some(known) = self.crowded.get_mut(&number(place)) {
            return !known.insert(digest(&self.hasher, from, reason));
        }
        let mut count = 0;
        // Newest first, because the reasons from one file are added consecutively.
        for edge in self.newest_at(place) {
            if edge.is(from, rule, reason) {
                return true;
            }
            count += 1;
        }
        if count >= FEW {
            let of = |edge: &Edge| self.hasher.hash_one((edge.from.as_ref(), edge.rule, &*edge.reason));
            let mut known: HashSet<u64> = self.newest_at(place).map(of).collect();
            known.insert(digest(&self.hasher, from, reason));
            self.crowded.insert(number(place), known);
        }
        false
    }

    /// The place of a path in the lists; a new path gets one.
    fn place(&mut self, path: &RootPath, kind: NodeKind) -> usize {
        if let Some(known) = self.places.get(path) {
            return *known as usize;
        }
        let place = self.kinds.len();
        self.places.insert(path.clone(), number(place));
        self.kinds.push(kind);
        self.last.push(FIRST);
        place
    }

    /// Replaces an entry of the root with a generated one.
    pub(super) fn replace(&mut self, path: &RootPath, kind: NodeKind, rule: RuleId, reason: &Arc<Reason>) {
        let place = self.place(path, kind.clone());
        self.kinds[place] = kind.clone();
        self.add(None, path, kind, rule, reason);
    }
}

fn number(length: usize) -> u32 {
    let own = u32::try_from(length).unwrap_or(FIRST);
    assert!(own != FIRST, "four billion paths or reasons do not fit into memory");
    own
}
