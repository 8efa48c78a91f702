//! Files that are in the image only because of a given file. These are the dominators of a flow graph (Cooper,
//! Harvey, Kennedy: A Simple, Fast Dominance Algorithm), as heap profilers use them for retained sizes.

/// A graph of requirements. Files are numbers below `count`.
pub(super) struct Demands {
    /// Number of files.
    pub(super) count: usize,
    /// Files that the request itself requires.
    pub(super) starts: Vec<usize>,
    /// Edges (requirer, required).
    pub(super) edges: Vec<(usize, usize)>,
}

/// The result for each file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Retained {
    /// The immediate dominator: the nearest file without which this one would not be packed; `None` if there is none.
    pub(super) keeper: Option<usize>,
    /// Number of files that are packed only because of this one, including itself.
    pub(super) files: usize,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Number of files that require it directly.
    pub(super) asked_by: usize,
}

/// Marks a file that no chain reaches.
const NONE: usize = usize::MAX;

impl Demands {
    /// Finds the files that are packed only because of each file. The weight of a file is its number of files (0 or 1)
    /// and bytes.
    pub(super) fn retained(&self, weight: &dyn Fn(usize) -> (usize, u64)) -> Vec<Retained> {
        // The request is one more node, after the files.
        let request = self.count;
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); self.count + 1];
        let mut above: Vec<Vec<usize>> = vec![Vec::new(); self.count + 1];
        for (from, to) in self.starts.iter().map(|to| (request, *to)).chain(self.edges.iter().copied()) {
            below[from].push(to);
            above[to].push(from);
        }
        let order = postorder(request, &below);
        let mut number = vec![NONE; self.count + 1];
        order.iter().enumerate().for_each(|(at, node)| number[*node] = at);
        let keepers = keepers(request, &order, &number, &above);
        let mut found: Vec<Retained> = (0..self.count)
            .map(|node| {
                let (files, bytes) = weight(node);
                let mut askers: Vec<usize> = above[node].iter().copied().filter(|from| *from != request).collect();
                askers.sort_unstable();
                askers.dedup();
                let keeper = Some(keepers[node]).filter(|keeper| *keeper < self.count);
                Retained { keeper, files, bytes, asked_by: askers.len() }
            })
            .collect();
        // In this order a file comes before its keeper.
        for node in order.into_iter().filter(|node| *node != request) {
            let (files, bytes) = (found[node].files, found[node].bytes);
            if let Some(keeper) = found[node].keeper {
                found[keeper].files += files;
                found[keeper].bytes += bytes;
            }
        }
        found
    }
}

/// The reachable nodes in postorder.
fn postorder(start: usize, below: &[Vec<usize>]) -> Vec<usize> {
    let mut is_seen = vec![false; below.len()];
    let mut order = Vec::new();
    let mut open = vec![(start, 0)];
    is_seen[start] = true;
    while let Some((node, next)) = open.pop() {
        match below[node].get(next) {
            Some(&child) => {
                open.push((node, next + 1));
                if !std::mem::replace(&mut is_seen[child], true) {
                    open.push((child, 0));
                }
            }
            None => order.push(node),
        }
    }
    order
}

/// The immediate dominator of each node; `NONE` for nodes that are not reached.
fn keepers(start: usize, order: &[usize], number: &[usize], above: &[Vec<usize>]) -> Vec<usize> {
    let mut keepers = vec![NONE; above.len()];
    keepers[start] = start;
    let meet = |keepers: &[usize], mut a: usize, mut b: usize| {
        while a != b {
            while number[a] < number[b] {
                a = keepers[a];
            }
            while number[b] < number[a] {
                b = keepers[b];
            }
        }
        a
    };
    let mut is_changed = true;
    while is_changed {
        is_changed = false;
        for &node in order.iter().rev().filter(|node| **node != start) {
            let mut known = above[node].iter().copied().filter(|from| keepers[*from] != NONE);
            let Some(first) = known.next() else { continue };
            let keeper = known.fold(first, |keeper, from| meet(&keepers, keeper, from));
            if keepers[node] != keeper {
                keepers[node] = keeper;
                is_changed = true;
            }
        }
    }
    keepers
}

#[cfg(test)]
mod tests {
    use super::{Demands, Retained};
    use proptest::prelude::*;

    fn of(demands: &Demands) -> Vec<Retained> {
        demands.retained(&|node| (1, 1 << node))
    }

    #[test]
    fn what_two_ask_for_belongs_to_neither() {
        // 0 asks for 1 and 2, both ask for 3, which asks for 4; 5 is asked for by nobody.
        let edges = vec![(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)];
        let found = of(&Demands { count: 6, starts: vec![0], edges });
        let keepers: Vec<_> = found.iter().map(|one| one.keeper).collect();
        assert_eq!(keepers, [None, Some(0), Some(0), Some(0), Some(3), None]);
        assert_eq!((found[0].files, found[0].bytes), (5, 0b11111));
        assert_eq!((found[1].files, found[3].files, found[3].bytes), (1, 2, 0b11000));
        assert_eq!(found[3].asked_by, 2);
    }

    /// The files that are reached when one is taken away.
    fn reached(demands: &Demands, without: Option<usize>) -> Vec<bool> {
        let mut is_reached = vec![false; demands.count];
        let mut open = demands.starts.clone();
        while let Some(node) = open.pop() {
            if Some(node) != without && !std::mem::replace(&mut is_reached[node], true) {
                open.extend(demands.edges.iter().filter(|(from, _)| *from == node).map(|(_, to)| *to));
            }
        }
        is_reached
    }

    proptest! {
        /// The judge takes each file away and counts what is lost.
        #[test]
        fn it_is_what_is_lost_without_the_file(
            edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..40),
            starts in proptest::collection::vec(0_usize..12, 1..4),
        ) {
            let demands = Demands { count: 12, starts, edges };
            let (found, all) = (of(&demands), reached(&demands, None));
            for node in (0..12).filter(|node| all[*node]) {
                let left = reached(&demands, Some(node));
                let lost = (0..12).filter(|other| all[*other] && !left[*other]);
                prop_assert_eq!(found[node].bytes, lost.map(|other| 1 << other).sum::<u64>());
            }
        }
    }
}
