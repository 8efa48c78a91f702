//! Checks: what is wrong, or will surprise, in a closure. One file a code, each with a constant that names it, explains
//! it and finds it; a new check is a new file and a line in [`CHECKS`].

mod bad_object;
mod dangling_link;
mod foreign_elf;
mod interpreter_missing;
mod missing_library;
mod not_packed;
mod nothing_matched;
mod preload_failed;
mod set_id;
mod stale_allow;
mod wrong_machine;

pub use missing_library::{LibraryNames, hints, searched};

use crate::closure::Closure;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::RootPath;
use crate::root::Root;

/// What a check looks at.
pub struct Evidence<'a> {
    /// Where the files come from.
    pub root: &'a Root,
    /// What was found.
    pub closure: &'a Closure,
}

/// A check: its code, the page that `slimroot explain` prints, and what it finds.
pub struct Check {
    /// The kebab-case code.
    pub code: &'static str,
    /// What it means and what to do.
    pub text: &'static str,
    /// Finds it.
    pub find: fn(&Evidence<'_>) -> Result<Vec<Finding>, Error>,
}

/// Every check, by code.
pub const CHECKS: &[Check] = &[
    bad_object::CHECK,
    dangling_link::CHECK,
    foreign_elf::CHECK,
    interpreter_missing::CHECK,
    missing_library::CHECK,
    not_packed::CHECK,
    nothing_matched::CHECK,
    preload_failed::CHECK,
    set_id::CHECK,
    stale_allow::CHECK,
    wrong_machine::CHECK,
];

/// The user's word on the level of a code, or of one subject of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The code.
    pub code: String,
    /// The subject; `None` for all.
    pub subject: Option<String>,
    /// The level it gets; `None` drops it.
    pub level: Option<Level>,
}

impl Ranking {
    /// Reads `CODE[=SUBJECT]`.
    ///
    /// # Errors
    /// `unknown-code` with the nearest known one.
    pub fn parse(text: &str, level: Option<Level>) -> Result<Self, Error> {
        let (code, subject) = match text.split_once('=') {
            Some((code, subject)) => (code, Some(subject.to_owned())),
            None => (text, None),
        };
        if !CHECKS.iter().any(|check| check.code == code) {
            let near = crate::profile::nearest(code, CHECKS.iter().map(|check| check.code));
            let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Error::new("unknown-code", format!("no check has the code {code}{near}"))
                .help("slimroot explain lists the codes"));
        }
        Ok(Self { code: code.to_owned(), subject, level })
    }

    fn ranks(&self, finding: &Finding) -> bool {
        self.code == finding.code && self.subject.as_ref().is_none_or(|subject| *subject == finding.subject)
    }
}

/// Runs every check, applies the user's rankings, and sorts: errors first, then by code and subject.
///
/// # Errors
/// `unreadable`.
pub fn check(evidence: &Evidence<'_>, rankings: &[Ranking]) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for check in CHECKS {
        found.extend((check.find)(evidence)?);
    }
    for ranking in rankings {
        let matched = found.iter().any(|finding| ranking.ranks(finding));
        match ranking.level {
            Some(level) => {
                for finding in found.iter_mut().filter(|finding| ranking.ranks(finding)) {
                    finding.level = level;
                }
            }
            None => found.retain(|finding| !ranking.ranks(finding)),
        }
        if !matched && ranking.level.is_none() {
            found.push(stale_allow::finding(ranking));
        }
    }
    found.sort_by(|a, b| (b.level, a.code, &a.subject).cmp(&(a.level, b.code, &b.subject)));
    Ok(found)
}

/// The chain of reasons for a path, one clause a step.
pub(crate) fn because(closure: &Closure, path: &RootPath) -> Vec<String> {
    closure.why(path).iter().map(|edge| format!("{}: {}", edge.to, edge.reason.says(edge.from.as_ref()))).collect()
}

/// The page of a code, be it a check's or an error's.
pub fn explain(code: &str) -> Option<&'static str> {
    let check = CHECKS.iter().find(|check| check.code == code).map(|check| check.text);
    check.or_else(|| crate::error::ERROR_CODES.iter().find(|known| known.code == code).map(|known| known.text))
}
