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
        // Reasons point from what asks to what is asked for: walk them backwards, nearest first.
        let mut queue: Vec<(usize, Option<usize>)> =
            self.edges.iter().enumerate().filter(|(_, edge)| edge.to == *path).map(|(at, _)| (at, None)).collect();
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
                    let asks = self.edges.iter().enumerate().filter(|(_, edge)| edge.to == *from);
                    queue.extend(asks.map(|(asking, _)| (asking, Some(next))));
                }
                Some(_) => {}
            }
            next += 1;
        }
        Vec::new()
    }
}
