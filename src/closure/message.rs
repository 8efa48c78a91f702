//! Messages for the user from rules.

use std::collections::{HashMap, HashSet};

use super::{Unconfigured, Unmade, Unmatched};
use crate::language::{Imported, MissingApplication, MissingModule, UnresolvedCommand};
use crate::path::RootPath;

/// A message for the user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Message {
    /// A note.
    Note(Note),
    /// A rule of a profile or a pattern found nothing.
    Unmatched(Unmatched),
    /// A configuration file names a missing file.
    Unconfigured(Unconfigured),
    /// A script starts a missing program.
    UnresolvedCommand(UnresolvedCommand),
    /// A command names a missing application.
    MissingApplication(MissingApplication),
    /// An extension module is loaded in every run.
    Imported(Imported),
    /// A module that is imported in every run is missing.
    MissingModule(MissingModule),
    /// Files left out because they are not readable for all users.
    Withheld { object: RootPath, pattern: String, files: Vec<RootPath> },
    /// Files in a directory of a compiled program that it does not name.
    Beside { program: RootPath, dir: RootPath, left: Vec<RootPath> },
    /// A program of the root did not make what the request wants made.
    Unmade(Unmade),
    /// A program of the root that sources name and can do without.
    Offered { program: RootPath, why: String },
    /// A command line in a configuration file.
    Delegated { file: RootPath, line: String },
}

/// A note: information that is not a problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Note {
    /// The kebab-case code; `slimroot explain CODE` has its page.
    pub code: &'static str,
    /// Its subject: a file, a program, a name.
    pub subject: String,
    /// One sentence.
    pub says: String,
    /// What the sentence counts without naming it.
    pub rest: Vec<String>,
    /// The note is dropped if this path is in the image at the end.
    #[serde(skip)]
    pub(super) unless: Option<RootPath>,
    /// A later note with the same key replaces this one.
    #[serde(skip)]
    pub(super) slot: Option<String>,
}

impl Note {
    /// A note with its code, subject and sentence.
    pub fn new(code: &'static str, subject: impl Into<String>, says: impl Into<String>) -> Self {
        Self { code, subject: subject.into(), says: says.into(), rest: Vec::new(), unless: None, slot: None }
    }

    /// Names what the sentence only counts.
    pub(super) fn rest(mut self, rest: Vec<String>) -> Self {
        self.rest = rest;
        self
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

/// All messages, in the order in which they were reported; equal ones are kept once.
#[derive(Default)]
pub(super) struct Messages {
    /// `None` for a message that a later one with the same slot has replaced.
    all: Vec<Option<Message>>,
    known: HashSet<Message>,
    /// The place of the message of each slot.
    slots: HashMap<String, usize>,
}

impl Messages {
    pub(super) fn push(&mut self, message: Message) {
        let slot = match &message {
            Message::Note(note) => note.slot.clone(),
            _ => None,
        };
        if let Some(replaced) = slot.as_ref().and_then(|slot| self.all[*self.slots.get(slot)?].take()) {
            self.known.remove(&replaced);
        }
        if self.known.insert(message.clone()) {
            if let Some(slot) = slot {
                self.slots.insert(slot, self.all.len());
            }
            self.all.push(Some(message));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.all.iter().flatten()
    }
}
