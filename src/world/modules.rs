//! Modules of a distribution that a script of a package does not need. Interpreters look for modules in one directory
//! that all packages share, and the package of a script declares which of them it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::tables::system;
use super::{Below, World, cached};
use crate::error::Error;
use crate::package::Packages;
use crate::path::RootPath;

/// Files of packages in a directory that another package does not need.
#[derive(Clone, Debug, Default)]
pub struct Unneeded {
    /// Files and directories that only such packages have.
    pub paths: Rc<BTreeSet<RootPath>>,
    /// These packages.
    pub packages: Rc<BTreeSet<String>>,
}

impl World<'_> {
    /// The packages that a package may use; `None` if the database does not know its dependencies.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`.
    pub(crate) fn needed_by(&self, package: &str) -> Result<Option<Rc<BTreeSet<String>>>, Error> {
        cached(&self.needed, package, || {
            Ok(self.database()?.and_then(|database| database.needed_by(package)).map(Rc::new))
        })
    }

    /// Returns files of other packages below a directory, except those that the package needs: it depends on them,
    /// recommends or suggests them, directly or not, or they extend it, or have one of the files and directories `loaded`
    /// in it. `None` if the database does not know its dependencies.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`.
    pub(crate) fn unneeded(&self, package: &str, dir: &RootPath, loaded: &[String]) -> Result<Option<Unneeded>, Error> {
        let key = (format!("{package} {}", loaded.join(" ")), dir.clone());
        cached(&self.unneeded, &key, || {
            let Some(database) = self.database()? else { return Ok(None) };
            let Some(needed) = self.needed_by(package)? else { return Ok(None) };
            let mut needed = BTreeSet::clone(&needed);
            let below = self.packaged_below(database, dir)?;
            let paths = loaded.iter().map(|name| dir.join(name.as_bytes()));
            let owners: BTreeSet<&String> = paths.filter_map(|path| below.get(&path)).flatten().collect();
            for owner in owners.into_iter().filter(|owner| *owner != package) {
                needed.extend(self.needed_by(owner)?.iter().flat_map(|needed| needed.iter().cloned()));
                needed.insert(owner.clone());
            }
            for other in database.dependents(package) {
                if !needed.contains(&other) && self.extends(&other, package, dir, &below)? {
                    needed.extend(self.needed_by(&other)?.iter().flat_map(|needed| needed.iter().cloned()));
                }
            }
            let (mut paths, mut packages) = (BTreeSet::new(), BTreeSet::new());
            for (path, owners) in below.iter().filter(|(_, owners)| !owners.iter().any(|one| needed.contains(one))) {
                paths.insert(path.clone());
                packages.extend(owners.iter().cloned());
            }
            Ok(Some(Unneeded { paths: Rc::new(paths), packages: Rc::new(packages) }))
        })
    }

    /// The paths that packages have below a directory.
    fn packaged_below(&self, database: &dyn Packages, dir: &RootPath) -> Result<Below, Error> {
        cached(&self.below, dir, || {
            let mut below: BTreeMap<RootPath, Vec<String>> = BTreeMap::new();
            for package in database.names() {
                for path in self.contents(&package)?.iter().filter(|path| *path != dir && path.is_within(dir)) {
                    below.entry(path.clone()).or_default().push(package.clone());
                }
            }
            Ok(Rc::new(below))
        })
    }

    /// True if a package that depends on another extends it: it puts modules into one of its directories, or registers
    /// them where the other looks for add-ons.
    fn extends(&self, package: &str, other: &str, dir: &RootPath, below: &Below) -> Result<bool, Error> {
        let is_theirs = |path: &RootPath| below.get(path).is_some_and(|owners| owners.iter().any(|one| one == other));
        let marks = &system().add_on_marks;
        Ok(self.contents(package)?.iter().filter(|path| path.is_within(dir)).any(|path| {
            let is_mark = marks.iter().any(|mark| mark.as_bytes() == path.name());
            is_mark || path.parent().is_some_and(|parent| parent != *dir && is_theirs(&parent))
        }))
    }
}
