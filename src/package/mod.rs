//! Package databases: who owns a file, and what else it owns. One file a database.

mod dpkg;

use std::collections::BTreeMap;

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

    /// Packages that are the machine-independent half of this one: built from the same source, for all machines, and
    /// always installed with it.
    fn halves(&self, package: &str) -> Vec<String>;
}

/// Opens the database of a root; `None` if it has none that is known.
///
/// # Errors
/// `unreadable`.
pub fn open<'r>(root: &'r Root) -> Result<Option<Box<dyn Packages + 'r>>, Error> {
    Ok(dpkg::Dpkg::open(root)?.map(|database| Box::new(database) as Box<dyn Packages + 'r>))
}
