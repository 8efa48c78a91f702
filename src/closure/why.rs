//! Queries on a closure: why is a path in the image?

use std::collections::{BTreeMap, BTreeSet};

use super::{Closure, Edge, Reason};
use crate::path::RootPath;

/// One step of a chain of reasons.
pub type Link<'a> = &'a Edge;

impl Closure {
    /// The shortest chain of reasons from the user's request to a path, ending with the path's own reason; empty if the
    /// path is not in the image. Among chains of equal length, ranks and then paths decide, so that the result does not
    /// depend on the order of discovery.
    pub fn why(&self, path: &RootPath) -> Vec<Link<'_>> {
        // A dependency of a program is more informative than a profile that takes the same path.
        let chain = self.chain(path, &|edge| !edge.reason.is_profile());
        if chain.is_empty() { self.chain(path, &|_| true) } else { chain }
    }

    /// The last step of the chain of each path, so that all chains can be followed at once: that of `from` is next. After
    /// a step of a profile the chain of `from` goes its own shortest way, where [`Closure::why`] prefers the shortest
    /// as a whole.
    pub fn last_steps(&self) -> BTreeMap<&RootPath, Link<'_>> {
        let own = |edge: &Edge| !edge.reason.is_profile();
        let mut steps = self.steps(&|_| true);
        steps.extend(self.steps(&own));
        steps
    }

    /// The last step of the shortest chain to each path over the edges that count.
    fn steps(&self, counts: &dyn Fn(&Edge) -> bool) -> BTreeMap<&RootPath, Link<'_>> {
        let (mut below, mut level): (BTreeMap<&RootPath, Vec<&RootPath>>, Vec<&RootPath>) = Default::default();
        for edge in self.graph.edges().iter().filter(|edge| counts(edge)) {
            match &edge.from {
                Some(from) => below.entry(from).or_default().push(&edge.to),
                None => level.push(&edge.to),
            }
        }
        let mut depths: BTreeMap<&RootPath, usize> = BTreeMap::new();
        for depth in 1.. {
            let reached = std::mem::take(&mut level).into_iter().filter(|path| {
                let is_new = !depths.contains_key(path);
                if is_new {
                    depths.insert(path, depth);
                }
                is_new
            });
            level = reached
                .collect::<Vec<_>>()
                .iter()
                .flat_map(|path| below.get(path).into_iter().flatten())
                .copied()
                .collect();
            if level.is_empty() {
                break;
            }
        }
        let is_nearest = |edge: &&Edge| {
            let above = edge.from.as_ref().map_or(Some(0), |from| depths.get(from).copied());
            above.is_some_and(|above| depths.get(&edge.to) == Some(&(above + 1)))
        };
        let nearest = |path: &RootPath| self.asking(path, counts).find(is_nearest);
        depths.keys().filter_map(|path| Some((*path, nearest(path)?))).collect()
    }

    /// The group of a path in the summary: that of its reason with the lowest rank.
    pub fn group(&self, path: &RootPath) -> Option<String> {
        let order = |edge: &&Edge| (edge.reason.rank(), edge.from.clone(), edge.reason.group());
        self.graph.reasons(path).min_by_key(order).map(|edge| edge.reason.group())
    }

    /// True for a program that is in the image because another one starts it.
    pub fn is_started_by_others(&self, path: &RootPath) -> bool {
        let order = |edge: &&Edge| (edge.reason.rank(), edge.from.clone(), edge.reason.group());
        let first = self.graph.reasons(path).min_by_key(order);
        first.is_some_and(|edge| matches!(*edge.reason, Reason::Command { .. } | Reason::Shebang | Reason::EnvCommand))
    }

    fn chain(&self, path: &RootPath, counts: &dyn Fn(&Edge) -> bool) -> Vec<Link<'_>> {
        // Edges lead from the requiring file to the required one: walk them backwards, breadth first.
        let mut queue: Vec<(&Edge, Option<usize>)> = self.asking(path, counts).map(|edge| (edge, None)).collect();
        let mut seen: BTreeSet<&RootPath> = BTreeSet::new();
        let mut next = 0;
        while let Some((edge, _)) = queue.get(next).copied() {
            match &edge.from {
                None => {
                    let mut chain = Vec::new();
                    let mut step = Some(next);
                    while let Some(here) = step {
                        chain.push(queue[here].0);
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

    /// The reasons for a path: first those from the user, then by rank.
    fn asking<'a>(
        &'a self,
        path: &RootPath,
        counts: &dyn Fn(&Edge) -> bool,
    ) -> impl Iterator<Item = &'a Edge> + use<'a> {
        let mut known: Vec<&Edge> = self.graph.reasons(path).filter(|edge| counts(edge)).collect();
        known.sort_by_cached_key(|edge| {
            let says = edge.reason.says(edge.from.as_ref());
            (edge.from.is_some(), edge.reason.rank(), edge.from.clone(), says, edge.rule)
        });
        known.into_iter()
    }

    /// Number and size of the files that are in the image only because of a profile, per profile: no chain of other
    /// reasons leads to them. A file from several profiles counts for the first.
    pub(super) fn brought_by<'p>(&self, profiles: impl Iterator<Item = &'p str>) -> BTreeMap<&'p str, (usize, u64)> {
        let mut below: BTreeMap<&RootPath, Vec<&RootPath>> = BTreeMap::new();
        let (mut of_profiles, mut open): (Vec<(&str, &RootPath)>, Vec<&RootPath>) = (Vec::new(), Vec::new());
        for edge in self.graph.edges() {
            match (&edge.from, edge.reason.profile()) {
                (_, Some(profile)) => of_profiles.push((profile, &edge.to)),
                (None, None) => open.push(&edge.to),
                (Some(from), None) => below.entry(from).or_default().push(&edge.to),
            }
        }
        let mut seen: BTreeSet<&RootPath> = BTreeSet::new();
        reach(&below, open, &mut seen);
        let mut sums = BTreeMap::new();
        // Hard links are one file in the image too.
        let mut inodes = BTreeSet::new();
        for profile in profiles {
            let own = of_profiles.iter().filter(|(name, _)| *name == profile).map(|(_, path)| *path).collect();
            let mut sum = (0, 0);
            for path in reach(&below, own, &mut seen) {
                let Some(node) = self.graph.get(path).filter(|node| node.is_file()) else { continue };
                sum.0 += 1;
                sum.1 += match node {
                    super::NodeKind::File(meta) if meta.links > 1 && !inodes.insert(meta.identity) => 0,
                    node => node.size(),
                };
            }
            sums.insert(profile, sum);
        }
        sums
    }
}

/// The paths reached from these that were not seen before.
fn reach<'g>(
    below: &BTreeMap<&'g RootPath, Vec<&'g RootPath>>,
    mut open: Vec<&'g RootPath>,
    seen: &mut BTreeSet<&'g RootPath>,
) -> Vec<&'g RootPath> {
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if seen.insert(path) {
            found.push(path);
            open.extend(below.get(path).into_iter().flatten());
        }
    }
    found
}
