//! The sources that a script loads, directly or through others, each read once.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::language::MissingModule;
use crate::path::RootPath;
use crate::root::Root;

/// Maximum size and number of the sources of one script.
const MAX_SOURCE: usize = 1 << 20;
const MAX_SOURCES: usize = 400;

/// Sources still to be read, and those that were.
pub(crate) struct Reach {
    open: Vec<RootPath>,
    seen: BTreeSet<RootPath>,
}

impl Reach {
    /// Begins with the sources that the interpreter is given.
    pub(crate) fn from(open: Vec<RootPath>) -> Self {
        Self { open, seen: BTreeSet::new() }
    }

    /// Adds sources that the last one loads.
    pub(crate) fn add(&mut self, loaded: impl IntoIterator<Item = RootPath>) {
        self.open.extend(loaded);
    }

    /// The next source and its text; `None` after the last. More than 400 are left unread, which is recorded.
    ///
    /// # Errors
    /// `unreadable`.
    pub(crate) fn next(&mut self, root: &Root) -> Result<Option<(RootPath, String)>, Error> {
        while let Some(file) = self.open.pop() {
            if self.seen.contains(&file) {
                continue;
            }
            if self.seen.len() >= MAX_SOURCES {
                root.leave_unread(&file, format!("imports are followed through {MAX_SOURCES} sources only"));
                return Ok(None);
            }
            self.seen.insert(file.clone());
            let text = root.read(&file, MAX_SOURCE)?;
            return Ok(Some((file, String::from_utf8_lossy(&text).into_owned())));
        }
        Ok(None)
    }
}

/// The first import of each missing module, in order.
pub(crate) fn first_of_each(mut missing: Vec<MissingModule>) -> Vec<MissingModule> {
    missing.sort();
    missing.dedup_by(|one, other| one.module == other.module);
    missing
}
