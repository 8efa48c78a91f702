//! Directories that languages and applications claim, and which claim decides about a path.
//!
//! A claim of a language decides over a plain claim, which only says that some application lies there: a start script
//! beside a Node application does not bring its development packages. Only claims below the same root of the tree of
//! launches count for that, so that another `--bin` removes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::launch::{LaunchId, Launches};
use super::rules::RuleId;
use crate::language::{Certainty, Claim, Scope, Without};
use crate::path::RootPath;
use crate::root::Root;

/// The group of directories that belong to an application.
const APPLICATION: &str = "application";

/// A claim, with who makes it.
pub(super) struct Claimed {
    pub(super) claim: Claim,
    pub(super) launch: LaunchId,
    pub(super) rule: RuleId,
}

/// Every claim. Those before [`Claims::settled`] were decided about.
#[derive(Default)]
pub(super) struct Claims {
    all: Vec<Claimed>,
    known: BTreeSet<(LaunchId, RuleId, RootPath, &'static str)>,
    /// Directories of claims that count.
    dirs: BTreeSet<RootPath>,
    settled: usize,
}

/// A directory that is packed, without what its owners leave out.
pub(super) struct Settled {
    pub(super) dir: RootPath,
    pub(super) without: Without,
    pub(super) group: &'static str,
    pub(super) why: String,
    pub(super) launch: LaunchId,
    pub(super) rule: RuleId,
}

impl Claims {
    /// Adds a claim; false if the launch made it before.
    pub(super) fn add(&mut self, claimed: Claimed) -> bool {
        let key = (claimed.launch, claimed.rule, claimed.claim.dir.clone(), claimed.claim.group);
        let is_new = self.known.insert(key);
        if is_new {
            self.dirs.insert(claimed.claim.dir.clone());
            self.all.push(claimed);
        }
        is_new
    }

    /// True if there are claims that were not decided about.
    pub(super) fn is_open(&self) -> bool {
        self.settled < self.all.len()
    }

    pub(super) fn close(&mut self) {
        self.settled = self.all.len();
    }

    /// True if a path lies in a claimed directory: nobody else adds what the owner left out.
    pub(super) fn cover(&self, path: &RootPath) -> bool {
        self.dirs.iter().any(|dir| path.is_within(dir))
    }

    /// True if a directory is claimed or has a claimed one below it.
    pub(super) fn lie_below(&self, dir: &RootPath) -> bool {
        self.dirs.range(dir.clone()..).next().is_some_and(|claimed| claimed.is_within(dir))
    }

    /// Directories that applications and languages claim.
    pub(super) fn dirs(&self) -> &BTreeSet<RootPath> {
        &self.dirs
    }

    /// Decides about the claims that are new.
    pub(super) fn settle(&self, launches: &Launches) -> Vec<Settled> {
        let mut ancestors: BTreeMap<LaunchId, BTreeSet<LaunchId>> = BTreeMap::new();
        for claimed in &self.all {
            ancestors.entry(claimed.launch).or_insert_with(|| launches.ancestors(claimed.launch));
        }
        // What starts the entry again makes it no less a root.
        let is_root = |id: &LaunchId| launches.roots.contains(id) || launches.get(*id).starters.is_empty();
        let roots = |id: LaunchId| -> BTreeSet<LaunchId> { ancestors[&id].iter().copied().filter(is_root).collect() };
        // Plain claims decide nothing, and a script that starts itself may make thousands of them.
        let deciding: Vec<&Claimed> = self.all.iter().filter(|other| other.claim.scope != Scope::Plain).collect();
        let mut settled = Vec::new();
        for claimed in &self.all[self.settled..] {
            let Claimed { claim, launch, rule } = claimed;
            let is_application = claim.group == APPLICATION;
            if launches.get(*launch).is_helper && is_application {
                continue;
            }
            // A program that an application starts in its own directory does not see more in it than the application.
            let is_taken = deciding.iter().any(|other| {
                other.claim.dir == claim.dir
                    && other.launch != *launch
                    && other.rule != *rule
                    && ancestors[launch].contains(&other.launch)
            });
            if is_taken {
                continue;
            }
            let without = match claim.scope {
                Scope::Plain => plain(claim, &deciding, &roots(*launch), &roots, launches),
                Scope::Application | Scope::Own => Rc::clone(&claim.without),
            };
            let (dir, group, why) = (claim.dir.clone(), claim.group, claim.why.clone());
            settled.push(Settled { dir, without, group, why, launch: *launch, rule });
        }
        settled
    }
}

/// What a plain claim leaves out: what claims of languages in the same application decide about.
fn plain(
    claim: &Claim,
    deciding: &[&Claimed],
    own: &BTreeSet<LaunchId>,
    roots: &dyn Fn(LaunchId) -> BTreeSet<LaunchId>,
    launches: &Launches,
) -> Without {
    // One list for each root: what one of them keeps is kept.
    let mut decided: Vec<Vec<RootPath>> = vec![Vec::new(); own.len()];
    for other in deciding.iter().filter(|other| launches.get(other.launch).certainty == Certainty::Sure) {
        let theirs = roots(other.launch);
        for (at, root) in own.iter().enumerate() {
            if theirs.contains(root) {
                decided[at].push(other.claim.dir.clone());
            }
        }
    }
    let without = Rc::clone(&claim.without);
    Rc::new(move |root: &Root, path: &RootPath| {
        let is_decided = |dirs: &Vec<RootPath>| dirs.iter().any(|dir| path.is_within(dir));
        without(root, path) || decided.iter().all(is_decided)
    })
}
