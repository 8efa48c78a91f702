//! Package databases: who owns a file, and what else it owns. One file a database.

mod apk;
mod dpkg;
mod rpm;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// What a database tells of installed packages.
pub trait Packages {
    /// The packages that files came with; the paths are real. Files that no package owns are not in the answer.
    ///
    /// # Errors
    /// `unreadable`.
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error>;

    /// The paths that a package came with, files and directories, as it spells them.
    ///
    /// # Errors
    /// `unreadable`.
    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error>;

    /// The paths of a package's licences, which are in the root or not.
    fn licences(&self, package: &str) -> Vec<RootPath> {
        RootPath::new(format!("/usr/share/doc/{package}/copyright")).into_iter().collect()
    }

    /// Packages that are the machine-independent half of this one: built from the same source, for all machines, and
    /// always installed with it.
    fn halves(&self, package: &str) -> Vec<String>;

    /// Whether two packages are built from the same source.
    fn is_kin(&self, package: &str, other: &str) -> bool;

    /// Packages that this one depends on and that are built from the same source: one program in pieces, such as its
    /// plug-ins.
    fn siblings(&self, package: &str) -> Vec<String> {
        self.halves(package)
    }

    /// The package whose list has a file of this name, whether the file is there or not.
    ///
    /// # Errors
    /// `unreadable`.
    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error>;

    /// The records by which scanners know the packages of an image that holds only a part of each: the files to be made.
    /// `is_shipped` says whether a path that a package lists is in the image.
    ///
    /// # Errors
    /// `unreadable`.
    fn records(
        &self,
        packages: &BTreeSet<String>,
        is_shipped: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Error>;
}

/// Opens the database of a root; `None` if it has none that is known.
///
/// # Errors
/// `unreadable`, `bad-package-database`.
pub fn open<'r>(root: &'r Root) -> Result<Option<Box<dyn Packages + 'r>>, Error> {
    if let Some(database) = dpkg::Dpkg::open(root)? {
        return Ok(Some(Box::new(database)));
    }
    if let Some(database) = apk::Apk::open(root)? {
        return Ok(Some(Box::new(database)));
    }
    Ok(rpm::Rpm::open(root)?.map(|database| Box::new(database) as Box<dyn Packages + 'r>))
}
