//! Package databases: owners of files, and the other files of these packages. One file for each package manager.

mod about;
mod apk;
mod dpkg;
mod rpm;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

pub use about::{About, Manager};

/// Maximum number of packages of a database.
const MAX_PACKAGES: usize = 100_000;
/// Maximum number of the paths of a package, and of their bytes.
const MAX_PATHS: usize = 1 << 18;
const MAX_PATH_BYTES: usize = 32 << 20;

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
    fn arch_all_parts(&self, package: &str) -> Vec<String>;

    /// True if both packages are built from the same source.
    fn is_same_source(&self, package: &str, other: &str) -> bool;

    /// Dependencies of a package that are built from the same source, such as its plug-ins.
    fn same_source_dependencies(&self, package: &str) -> Vec<String> {
        self.arch_all_parts(package)
    }

    /// True if a package depends on another, or recommends it, by its name or by something that it provides.
    fn wants(&self, _package: &str, _other: &str) -> bool {
        false
    }

    /// True if a package depends directly on another, by its name or by something that it provides.
    fn depends(&self, _package: &str, _other: &str) -> bool {
        false
    }

    /// The text of the scripts by which the package manager installs and removes a package.
    ///
    /// # Errors
    /// `unreadable`.
    fn scripts(&self, _package: &str) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }

    /// The installed packages that a package may use: itself, all that it depends on or recommends, directly or not, what
    /// it suggests itself, and those that every package may use; `None` if the database records no dependencies of the package.
    fn needed_by(&self, _package: &str) -> Option<BTreeSet<String>> {
        None
    }

    /// The installed packages that depend on a package directly, recommend it, or declare to enhance it.
    fn dependents(&self, _package: &str) -> Vec<String> {
        Vec::new()
    }

    /// The package that contains a file of this name, whether or not the file exists in the root.
    ///
    /// # Errors
    /// `unreadable`.
    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error>;

    /// The names of all packages, sorted.
    fn names(&self) -> Vec<String>;

    /// Returns the metadata of a package; `None` if the database does not know the package.
    ///
    /// # Errors
    /// `unreadable`.
    fn about(&self, package: &str) -> Result<Option<About>, Error>;

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

/// Opens the records of a finished image: its package database, or else the directory of partial records that Debian's
/// slim images have (`status.d`).
///
/// # Errors
/// `unreadable`, `bad-package-database`.
pub fn recorded<'r>(root: &'r Root) -> Result<Option<Box<dyn Packages + 'r>>, Error> {
    match open(root)? {
        Some(database) if !database.names().is_empty() => Ok(Some(database)),
        other => match dpkg::Dpkg::open_partial(root)? {
            Some(partial) => Ok(Some(Box::new(partial))),
            None => Ok(other),
        },
    }
}

/// Reads a file of a database. A truncated file would hide packages, so a file above the limit is an error.
fn read(root: &Root, path: &RootPath, limit: usize) -> Result<Vec<u8>, Error> {
    let size = root.meta(path)?.map_or(0, |meta| meta.size);
    if size > limit as u64 {
        return Err(too_large(format!("{path} has {size} bytes"), format!("{} MiB", limit >> 20)));
    }
    root.read(path, limit)
}

fn too_large(what: String, limit: impl std::fmt::Display) -> Error {
    Error::new("bad-package-database", format!("{what}, but slimroot reads at most {limit}")).help(
        "remove packages in the builder stage, or use --companions none --no-profile package-records --no-profile licences",
    )
}

/// The paths of a package, unless they are too many.
fn paths(package: &str, all: impl Iterator<Item = RootPath>) -> Result<Vec<RootPath>, Error> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for path in all {
        bytes += path.as_bytes().len();
        if found.len() == MAX_PATHS || bytes > MAX_PATH_BYTES {
            let limit = format!("{MAX_PATHS} paths and {} MiB of them", MAX_PATH_BYTES >> 20);
            return Err(too_large(format!("the package {package} has more paths"), limit));
        }
        found.push(path);
    }
    Ok(found)
}

/// The stanzas of a text, which empty lines separate.
fn stanzas(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    memchr::memmem::find_iter(text, b"\n\n").chain([text.len()]).map(move |end| {
        let span = start.min(end)..end;
        start = end + 2;
        span
    })
}

/// The lines of a stanza.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n')
}

/// Adds a package to those that are known.
fn add<P>(found: &mut BTreeMap<String, P>, name: String, package: P) -> Result<(), Error> {
    if found.len() == MAX_PACKAGES {
        return Err(too_large("the package database has more packages".to_owned(), MAX_PACKAGES));
    }
    found.insert(name, package);
    Ok(())
}
