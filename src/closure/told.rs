//! Facts for the user that rules found on the way.

use super::{Unconfigured, Unmatched};
use crate::language::{Absent, Unstarted};
use crate::path::RootPath;

/// A fact for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Good to know.
    Note(Note),
    /// A rule of a profile or a pattern found nothing.
    Unmatched(Unmatched),
    /// Configuration names what is not there.
    Unconfigured(Unconfigured),
    /// A script starts what is not there.
    Unstarted(Unstarted),
    /// A command names an application that is not there.
    Absent(Absent),
    /// Files that stay out because not everybody may read them.
    Withheld { object: RootPath, pattern: String, files: Vec<RootPath> },
    /// A command line in a configuration file.
    Delegated { file: RootPath, line: String },
}

/// A note: a fact that is no fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Note {
    /// The kebab-case code; `slimroot explain CODE` has its page.
    pub code: &'static str,
    /// What it is about: a file, a program, a name.
    pub subject: String,
    /// One sentence.
    pub says: String,
    /// The note is dropped if this path is in the image at the end.
    #[serde(skip)]
    pub(super) unless: Option<RootPath>,
    /// A later note with the same key takes its place.
    #[serde(skip)]
    pub(super) slot: Option<String>,
}

impl Note {
    /// A note with its code, subject and sentence.
    pub fn new(code: &'static str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { code, subject: subject.into(), says: says.into(), unless: None, slot: None }
    }

    pub(super) fn unless(mut self, path: RootPath) -> Self {
        self.unless = Some(path);
        self
    }

    pub(super) fn slot(mut self, key: String) -> Self {
        self.slot = Some(key);
        self
    }
}
