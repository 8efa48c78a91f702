//! Results of rules: requests to add, start, open, apply or claim something, and messages. Only the worklist carries
//! them out.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::launch::LaunchId;
use super::message::Message;
use super::process::ProcessId;
use super::rules::RuleId;
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
    /// The process of the entry.
    Main,
    /// The given process.
    Process(ProcessId),
    /// The process of a program that has loaded this object; otherwise that of the entry.
    With(RootPath),
}

/// A request of a rule.
pub(super) enum Demand {
    /// Add the file or directory that a path leads to, with the symlinks on the way.
    Path { from: Option<RootPath>, cwd: RootPath, path: Vec<u8>, reason: Why, host: Host },
    /// Add a path as spelled: a file, a symlink with its target, a directory with everything in it.
    Tree {
        start: RootPath,
        reason: Why,
        without: Option<Without>,
        host: Host,
        /// The rule to record in the reason, if it is not the current one.
        by: Option<RuleId>,
    },
    /// Add a dangling symlink.
    Link { from: Option<RootPath>, link: RootPath, kind: NodeKind, reason: Reason },
    /// Create a file or directory below the real path of its parent.
    Make { path: RootPath, kind: NodeKind, reason: Reason, merges: bool },
    /// Resolve the dependencies of an ELF file, which is itself placed by other means.
    Resolve { real: RootPath, host: Host },
    /// Read a compiled class, or a directory of such, like an archive of a process.
    Read { dir: RootPath, host: ProcessId },
    /// Start a program.
    Start(Start),
    /// Open a library by name in a process; the first name that is found is used.
    Open(Open),
    /// Add a process that was resolved together with another.
    Enter { process: Process, conditions: Conditions, program: ProcessId },
    /// Claim a directory for a launch.
    Claim { launch: LaunchId, claim: Claim },
    /// All launches and processes so far have been searched for packages.
    Asked,
    /// All claims so far have been processed.
    ClaimsSettled,
    /// Record that a launch needs a profile.
    Want { profile: &'static str, sign: Sign },
    /// Apply a profile.
    Apply(Apply),
    /// Pack the files of a package because of an object.
    Bring { package: String, object: RootPath },
    /// Count an ELF object in a file as loaded.
    Hold { file: RootPath, name: Vec<u8>, imports: Vec<Vec<u8>> },
    /// Compile Python sources of the image with an interpreter of the root.
    Compile { program: RootPath, sources: Vec<RootPath> },
    /// Set a variable of the image, unless the user has set it.
    Env(String, String),
    /// Report a message to the user.
    Report(Message),
    /// Record that the rule has returned this result, so that it need not return it again.
    Done(String),
}

/// A reason, which many files share.
pub(super) type Why = std::sync::Arc<Reason>;

/// A program to start.
pub(super) struct Start {
    /// The launch that starts it.
    pub(super) starter: Option<LaunchId>,
    /// The file that requires it.
    pub(super) from: Option<RootPath>,
    /// The program and its arguments.
    pub(super) words: Vec<String>,
    pub(super) cwd: RootPath,
    pub(super) env: Rc<BTreeMap<String, String>>,
    /// Certainty of the launch if its starter is certain.
    pub(super) certainty: Certainty,
    /// True if it replaces its starter in every run.
    pub(super) is_exec: bool,
    /// True for a helper script of a package.
    pub(super) is_helper: bool,
    pub(super) reason: Reason,
    /// True if a missing program is reported.
    pub(super) tells_missing: bool,
}

impl Start {
    /// A program that is probably started, and whose absence is not reported.
    pub(super) fn likely(
        words: Vec<String>,
        (cwd, env): (&RootPath, &Rc<BTreeMap<String, String>>),
        reason: Reason,
    ) -> Self {
        Self {
            starter: None,
            from: None,
            words,
            cwd: cwd.clone(),
            env: Rc::clone(env),
            certainty: Certainty::Likely,
            is_exec: false,
            is_helper: false,
            reason,
            tells_missing: false,
        }
    }
}

/// A library to open.
pub(super) struct Open {
    /// The process that opens it, and the index of the object in it that calls dlopen(3).
    pub(super) host: ProcessId,
    pub(super) requester: usize,
    /// The file that requires it; `None` for a profile.
    pub(super) from: Option<RootPath>,
    /// The names in order, each with its reason.
    pub(super) names: Vec<(Vec<u8>, Reason)>,
    /// True if the program does not work without it.
    pub(super) required: bool,
    /// The message if none of the names is found.
    pub(super) missing: Option<Missing>,
}

/// The origin of a library that was not found, for the message.
pub(super) enum Missing {
    /// It is declared in `.note.dlopen`.
    Noted(RootPath, DlopenNote),
    /// It is named in source code.
    Named(Message),
}

/// A profile to apply.
pub(super) struct Apply {
    pub(super) profile: String,
    /// The evidence; `None` if the user requested the profile.
    pub(super) sign: Option<Sign>,
    /// The object that is the evidence; plug-ins are opened in its process.
    pub(super) object: Option<RootPath>,
    /// True for a profile that is needed only for the trust store.
    pub(super) is_hidden: bool,
}
