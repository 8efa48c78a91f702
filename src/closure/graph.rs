//! The files of the image and the reasons for each: nodes and edges.

use std::collections::BTreeMap;
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
    /// A symlink of the root, with its target.
    Link(Meta, Vec<u8>),
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
    /// The file that requires it; `None` for the user or a profile.
    pub from: Option<RootPath>,
    /// The required path.
    pub to: RootPath,
    /// The rule that found it.
    pub rule: RuleId,
    /// The reason.
    pub reason: Arc<Reason>,
}

/// Files with their reasons. Paths are real: no parent is a symlink.
#[derive(Default)]
pub struct Graph {
    nodes: BTreeMap<RootPath, NodeKind>,
    edges: Vec<Edge>,
    /// The last reason for each path, and for each reason the one before it for the same path: nearly all paths have
    /// one reason.
    last: BTreeMap<RootPath, u32>,
    previous: Vec<u32>,
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
    pub fn nodes(&self) -> &BTreeMap<RootPath, NodeKind> {
        &self.nodes
    }

    /// All reasons.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The entry at a path.
    pub fn get(&self, path: &RootPath) -> Option<&NodeKind> {
        self.nodes.get(path)
    }

    /// True if the path is in the image.
    pub fn contains(&self, path: &RootPath) -> bool {
        self.nodes.contains_key(path)
    }

    /// The reasons for a path.
    pub fn reasons(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        let mut known: Vec<&Edge> = self.newest_first(path).collect();
        known.reverse();
        known.into_iter()
    }

    fn newest_first(&self, path: &RootPath) -> impl Iterator<Item = &Edge> {
        let is_some = |at: u32| (at != FIRST).then_some(at);
        let first = self.last.get(path).copied();
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
                self.add(from, &hop.link, NodeKind::Link(meta, hop.text.clone()), rule, &hopped);
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
        if !self.nodes.contains_key(to) {
            self.nodes.insert(to.clone(), kind);
        }
        let is_known = |edge: &Edge| {
            edge.from.as_ref() == from
                && edge.rule == rule
                && (Arc::ptr_eq(&edge.reason, reason) || edge.reason == *reason)
        };
        // Newest first, because the reasons from one file are added consecutively.
        if self.newest_first(to).any(is_known) {
            return;
        }
        let own = u32::try_from(self.edges.len()).unwrap_or(FIRST);
        assert!(own != FIRST, "four billion reasons do not fit into memory");
        let before = self.last.insert(to.clone(), own);
        self.previous.push(before.unwrap_or(FIRST));
        self.edges.push(Edge { from: from.cloned(), to: to.clone(), rule, reason: Arc::clone(reason) });
    }

    /// Replaces an entry of the root with a generated one.
    pub(super) fn replace(&mut self, path: &RootPath, kind: NodeKind, rule: RuleId, reason: &Arc<Reason>) {
        self.nodes.insert(path.clone(), kind.clone());
        self.add(None, path, kind, rule, reason);
    }
}
