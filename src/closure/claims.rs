//! Directories claimed by languages and applications, and which claim decides about a path.
//!
//! A language's claim takes precedence over a plain claim, which only marks the directory of some application: a start
//! script next to a Node application must not add its development packages. This applies only to claims below the same
//! root of the tree of launches, so that another `--bin` removes nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::launch::{LaunchId, Launches};
use super::rules::RuleId;
use crate::language::{Certainty, Claim, Scope, Without};
use crate::path::RootPath;
use crate::root::Root;
use crate::world::{own, tables};

/// The group of directories that belong to an application.
const APPLICATION: &str = "application";

/// The roots of the tree of launches above each launch.
type Roots = BTreeMap<LaunchId, BTreeSet<LaunchId>>;

/// A claim and its origin.
pub(super) struct Claimed {
    pub(super) claim: Claim,
    pub(super) launch: LaunchId,
    pub(super) rule: RuleId,
}

/// All claims. Those before index `settled` have been processed.
#[derive(Default)]
pub(super) struct Claims {
    all: Vec<Claimed>,
    known: BTreeSet<(LaunchId, RuleId, RootPath, &'static str)>,
    /// Directories of all claims.
    dirs: BTreeSet<RootPath>,
    settled: usize,
    /// Files of the build that lie in claimed directories and are left out.
    pub(super) of_the_build: Rc<RefCell<BTreeSet<RootPath>>>,
}

/// A directory to pack, with the files that its owners leave out.
pub(super) struct Settled {
    pub(super) dir: RootPath,
    pub(super) without: Without,
    pub(super) group: &'static str,
    pub(super) why: String,
    pub(super) launch: LaunchId,
    pub(super) rule: RuleId,
}

impl Claims {
    /// Adds a claim; false if the launch has already made it.
    pub(super) fn add(&mut self, claimed: Claimed) -> bool {
        let key = (claimed.launch, claimed.rule, claimed.claim.dir.clone(), claimed.claim.group);
        let is_new = self.known.insert(key);
        if is_new {
            self.dirs.insert(claimed.claim.dir.clone());
            self.all.push(claimed);
        }
        is_new
    }

    /// True if there are unprocessed claims.
    pub(super) fn is_open(&self) -> bool {
        self.settled < self.all.len()
    }

    pub(super) fn close(&mut self) {
        self.settled = self.all.len();
    }

    /// True if the path is in a claimed directory, so that other rules do not add files that its owner left out.
    pub(super) fn cover(&self, path: &RootPath) -> bool {
        self.dirs.iter().any(|dir| path.is_within(dir))
    }

    /// True if the directory is claimed or contains a claimed one.
    pub(super) fn lie_below(&self, dir: &RootPath) -> bool {
        self.dirs.range(dir.clone()..).next().is_some_and(|claimed| claimed.is_within(dir))
    }

    /// Directories that applications and languages claim.
    pub(super) fn dirs(&self) -> &BTreeSet<RootPath> {
        &self.dirs
    }

    /// Processes the new claims.
    pub(super) fn settle(&self, launches: &Launches) -> Vec<Settled> {
        let new = &self.all[self.settled..];
        // Skip plain claims: they decide nothing, and a script that starts itself may make thousands.
        let deciding: Vec<&Claimed> = self.all.iter().filter(|other| other.claim.scope != Scope::Plain).collect();
        let mut by_dir: BTreeMap<&RootPath, Vec<&Claimed>> = BTreeMap::new();
        for other in &deciding {
            by_dir.entry(&other.claim.dir).or_default().push(other);
        }
        let is_plain = new.iter().any(|claimed| claimed.claim.scope == Scope::Plain);
        let roots = if is_plain { launches.roots_above() } else { Roots::new() };
        let mut settled: Vec<Settled> = Vec::new();
        // Scripts of one directory that start each other make the same claim again and again.
        let mut same = BTreeSet::new();
        for claimed in new {
            let Claimed { claim, launch, rule } = claimed;
            let is_application = claim.group == APPLICATION;
            if launches.get(*launch).is_helper && is_application {
                continue;
            }
            // If an application has claimed the directory, a program that it starts there adds nothing.
            let same_place = by_dir.get(&claim.dir).into_iter().flatten();
            let others: Vec<LaunchId> = same_place
                .filter(|other| other.launch != *launch && other.rule != *rule)
                .map(|other| other.launch)
                .collect();
            let above = (!others.is_empty()).then(|| launches.ancestors(*launch));
            if above.is_some_and(|above| others.into_iter().any(|other| above.contain(other))) {
                continue;
            }
            let without = match claim.scope {
                Scope::Plain => {
                    let decided = decided(*launch, &deciding, &roots, launches);
                    let reader = launches.get(*launch).processes.last().copied();
                    if !same.insert((&claim.dir, *rule, claim.group, &claim.why, reader, decided.clone())) {
                        continue;
                    }
                    plain(claim, decided)
                }
                Scope::Application | Scope::Own => Rc::clone(&claim.without),
            };
            let without = self.without_build(claim.dir.clone(), without);
            let (dir, group, why) = (claim.dir.clone(), claim.group, claim.why.clone());
            settled.push(Settled { dir, without, group, why, launch: *launch, rule });
        }
        // Plug-ins of one program are opened in the order of their directories, whichever launch was found first.
        settled.sort_by(|a, b| (&a.dir, a.rule, a.group).cmp(&(&b.dir, b.rule, b.group)));
        settled
    }

    /// Extends the filter of a claim by build files: those at the top of the directory that define how the image is
    /// built, and slimroot itself. Records the files that it excludes.
    fn without_build(&self, dir: RootPath, without: Without) -> Without {
        let left = Rc::clone(&self.of_the_build);
        Rc::new(move |root: &Root, path: &RootPath| {
            if without(root, path) {
                return true;
            }
            let is_build_file = || path.parent().as_ref() == Some(&dir) && tables::system().is_build_file(path.name());
            let is_left = is_build_file() || own::is_own(root, path).unwrap_or(false);
            if is_left {
                left.borrow_mut().insert(path.clone());
            }
            is_left
        })
    }
}

/// The directories about which claims of languages in the application of a plain claim decide, for each root of its launch.
fn decided(launch: LaunchId, deciding: &[&Claimed], roots: &Roots, launches: &Launches) -> Vec<BTreeSet<RootPath>> {
    let own = &roots[&launch];
    // One list per root: a path that one root keeps is kept.
    let mut decided: Vec<BTreeSet<RootPath>> = vec![BTreeSet::new(); own.len()];
    for other in deciding.iter().filter(|other| launches.get(other.launch).certainty == Certainty::Sure) {
        let theirs = &roots[&other.launch];
        for (at, root) in own.iter().enumerate() {
            if theirs.contains(root) {
                decided[at].insert(other.claim.dir.clone());
            }
        }
    }
    decided
}

/// The paths that a plain claim leaves out, because claims of languages in the same application decide about them.
fn plain(claim: &Claim, decided: Vec<BTreeSet<RootPath>>) -> Without {
    let without = Rc::clone(&claim.without);
    let decided: Vec<BTreeSet<RootPath>> = decided.into_iter().map(outermost).collect();
    Rc::new(move |root: &Root, path: &RootPath| {
        // Of directories that do not contain each other, only the last one before a path can contain it.
        let is_decided =
            |dirs: &BTreeSet<RootPath>| dirs.range(..=path).next_back().is_some_and(|dir| path.is_within(dir));
        without(root, path) || decided.iter().all(is_decided)
    })
}

/// The directories that lie in no other one.
fn outermost(dirs: BTreeSet<RootPath>) -> BTreeSet<RootPath> {
    let mut kept: Vec<RootPath> = Vec::new();
    for dir in dirs {
        if kept.last().is_none_or(|last| !dir.is_within(last)) {
            kept.push(dir);
        }
    }
    kept.into_iter().collect()
}
