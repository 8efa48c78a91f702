//! Answers of rules: what is to be added, started, opened, applied, claimed or told. Only the worklist carries them out.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::launch::LaunchId;
use super::process::ProcessId;
use super::rules::RuleId;
use super::told::Told;
use super::{NodeKind, Reason, Sign};
use crate::elf::DlopenNote;
use crate::language::{Certainty, Claim, Without};
use crate::loader::{Conditions, Process};
use crate::path::RootPath;

/// The process in which plug-ins among added files are opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Host {
    /// ELF files are not resolved.
    None,
    /// That of the entry.
    Main,
    /// This one.
    Process(ProcessId),
    /// That of a program which has this object loaded; else that of the entry.
    With(RootPath),
}

/// An answer of a rule.
pub(super) enum Demand {
    /// Add the file or directory that a path leads to, with the symlinks on the way.
    Path { from: Option<RootPath>, cwd: RootPath, path: Vec<u8>, reason: Why, host: Host },
    /// Add a path as spelled: a file, a symlink with its target, a directory with everything in it.
    Tree {
        start: RootPath,
        reason: Why,
        without: Option<Without>,
        host: Host,
        /// The rule that is named as the reason, if it is another than the one that answers.
        by: Option<RuleId>,
    },
    /// Add a symlink that leads nowhere.
    Link { from: Option<RootPath>, link: RootPath, kind: NodeKind, reason: Reason },
    /// Make a file or directory where its parent really lies.
    Make { path: RootPath, kind: NodeKind, reason: Reason, merges: bool },
    /// Resolve what an ELF file needs; the file itself is placed by somebody else.
    Resolve { real: RootPath, host: Host },
    /// Start a program.
    Start(Start),
    /// Open a library by name in a process: of the names the first that is found.
    Open(Open),
    /// Enter a process that was resolved together with another.
    Enter { process: Process, conditions: Conditions, program: ProcessId },
    /// Claim a directory for a launch.
    Claim { launch: LaunchId, claim: Claim },
    /// Every claim so far is decided about.
    ClaimsSettled,
    /// Remember that a launch wants a profile.
    Want { profile: &'static str, sign: Sign },
    /// Apply a profile.
    Apply(Apply),
    /// Have the files of a package packed with an object.
    Bring { package: String, object: RootPath },
    /// Set a variable of the image, unless it is set.
    Env(String, String),
    /// Tell the user.
    Tell(Told),
    /// The rule has given this answer and need not be asked again.
    Done(String),
}

/// A reason, shared by many files.
pub(super) type Why = std::sync::Arc<Reason>;

/// A program to be started.
pub(super) struct Start {
    /// The launch that starts it.
    pub(super) starter: Option<LaunchId>,
    /// The file that asks for it.
    pub(super) from: Option<RootPath>,
    /// The program and its arguments.
    pub(super) words: Vec<String>,
    pub(super) cwd: RootPath,
    pub(super) env: Rc<BTreeMap<String, String>>,
    /// How sure it is, if its starter is sure.
    pub(super) certainty: Certainty,
    /// True if it takes the place of its starter in every run.
    pub(super) is_exec: bool,
    /// True for a helper script of a package.
    pub(super) is_helper: bool,
    pub(super) reason: Reason,
    /// Whether it is told that the program is missing.
    pub(super) tells_missing: bool,
}

/// A library to be opened.
pub(super) struct Open {
    /// The process that opens it, and the object of it that calls dlopen(3).
    pub(super) host: ProcessId,
    pub(super) requester: usize,
    /// The file that asks for it; `None` for a profile.
    pub(super) from: Option<RootPath>,
    /// The names in order, each with its reason.
    pub(super) names: Vec<(Vec<u8>, Reason)>,
    /// True if the program does not work without it.
    pub(super) required: bool,
    /// What is told if none of the names is found.
    pub(super) missing: Option<Missing>,
}

/// What is told of a library that was not found.
pub(super) enum Missing {
    /// `.note.dlopen` names it.
    Noted(RootPath, DlopenNote),
    /// A source names it.
    Named(Told),
}

/// A profile to be applied.
pub(super) struct Apply {
    pub(super) profile: String,
    /// The evidence; `None` if the user asks for it.
    pub(super) sign: Option<Sign>,
    /// The object that shows it, in whose process plug-ins are opened.
    pub(super) object: Option<RootPath>,
    /// True for a profile that only the trust store needs.
    pub(super) is_hidden: bool,
}
