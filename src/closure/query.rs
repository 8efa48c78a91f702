//! Questions to a closure: why is this path in?

use std::collections::BTreeSet;

use super::{Closure, Edge};
use crate::path::RootPath;

/// One step of a chain of reasons.
pub type Link<'a> = &'a Edge;

impl Closure {
    /// The shortest chain of reasons from the user's words to a path, the path's own reason last; empty if the path is
    /// not in the image.
    pub fn why(&self, path: &RootPath) -> Vec<Link<'_>> {
        // What the entry itself needs says more than a profile that takes the same path.
        let chain = self.chain(path, &|edge| !edge.reason.is_profile());
        if chain.is_empty() { self.chain(path, &|_| true) } else { chain }
    }

    /// The group under which a summary counts a path: that of its first reason.
    pub fn group(&self, path: &RootPath) -> Option<String> {
        self.reasons(path).next().map(|edge| edge.reason.group())
    }

    fn chain(&self, path: &RootPath, counts: &dyn Fn(&Edge) -> bool) -> Vec<Link<'_>> {
        // Reasons point from what asks to what is asked for: walk them backwards, nearest first.
        let mut queue: Vec<(usize, Option<usize>)> = self.asking(path, counts).map(|at| (at, None)).collect();
        let mut seen: BTreeSet<&RootPath> = BTreeSet::new();
        let mut next = 0;
        while let Some((at, _)) = queue.get(next).copied() {
            match &self.edges[at].from {
                None => {
                    let mut chain = Vec::new();
                    let mut step = Some(next);
                    while let Some(here) = step {
                        chain.push(&self.edges[queue[here].0]);
                        step = queue[here].1;
                    }
                    return chain;
                }
                Some(from) if seen.insert(from) => {
                    queue.extend(self.asking(from, counts).map(|asking| (asking, Some(next))));
                }
                Some(_) => {}
            }
            next += 1;
        }
        Vec::new()
    }

    /// The edges that ask for a path.
    fn asking<'a>(&'a self, path: &RootPath, counts: &'a dyn Fn(&Edge) -> bool) -> impl Iterator<Item = usize> + 'a {
        let known = self.reached.get(path).map(Vec::as_slice).unwrap_or_default();
        known.iter().copied().filter(|at| counts(&self.edges[*at]))
    }
}
