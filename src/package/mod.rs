//! Package databases: owners of files, and the other files of these packages. One file for each package manager.

mod apk;
mod dpkg;
mod rpm;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// A database of installed packages.
pub trait Packages {
    /// The packages that own these real paths. The result has no entry for files without an owner.
    ///
    /// # Errors
    /// `unreadable`.
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error>;

    /// The paths of a package, files and directories, as the package spells them.
    ///
    /// # Errors
    /// `unreadable`.
    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error>;

    /// The possible paths of a package's licence files, whether or not they exist in the root.
    fn licences(&self, package: &str) -> Vec<RootPath> {
        RootPath::new(format!("/usr/share/doc/{package}/copyright")).into_iter().collect()
    }

    /// The architecture-independent parts of a package: packages from the same source, for all architectures, that are
    /// always installed with it.
    fn halves(&self, package: &str) -> Vec<String>;

    /// True if both packages are built from the same source.
    fn is_kin(&self, package: &str, other: &str) -> bool;

    /// Dependencies of a package that are built from the same source, such as its plug-ins.
    fn siblings(&self, package: &str) -> Vec<String> {
        self.halves(package)
    }

    /// True if a package depends on another, or recommends it, by its name or by something that it provides.
    fn wants(&self, _package: &str, _other: &str) -> bool {
        false
    }

    /// The package that contains a file of this name, whether or not the file exists in the root.
    ///
    /// # Errors
    /// `unreadable`.
    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error>;

    /// Generates package records for an image that contains only parts of the packages, so that scanners recognise
    /// them. `is_shipped` is true for paths that are in the image.
    ///
    /// # Errors
    /// `unreadable`.
    fn records(
        &self,
        packages: &BTreeSet<String>,
        is_shipped: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Error>;
}

/// Opens the package database of a root; `None` if there is no supported one.
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
