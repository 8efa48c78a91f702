//! Languages: what an interpreter needs that no file names and no list of places can say, because it depends on how the
//! interpreter is called. One file a language; places that are the same for every call are profiles.

mod python;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// A directory that belongs to a program because of where it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The directory; all that it holds comes.
    pub dir: RootPath,
    /// Names in it that are surely not needed when it runs.
    pub without: Vec<&'static str>,
    /// Why.
    pub why: String,
}

/// The homes of a program that is called by this path.
///
/// # Errors
/// `unreadable`.
pub fn homes(root: &Root, program: &RootPath) -> Result<Vec<Home>, Error> {
    Ok(python::environment(root, program)?.into_iter().collect())
}
