//! Package databases: who owns a file, and what else it owns. One file a database.

mod dpkg;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// What a database tells of installed packages.
pub trait Packages {
    /// The package that a file came with; `path` is real.
    ///
    /// # Errors
    /// `unreadable`.
    fn owner(&self, path: &RootPath) -> Result<Option<String>, Error>;

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
