//! An `--allow` that matches no finding.

use super::{Check, Evidence, Ranking, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "stale-allow",
    scope: Scope::Image,
    text: "--allow names a code or subject that no finding has. The cause may have been fixed, or the name is \
           misspelt. Remove it: an exception that matches nothing today may hide a problem tomorrow.",
    find,
};

/// Stale exceptions are known only after all other checks have run: see [`finding`].
fn find(_: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    Ok(Vec::new())
}

pub(super) fn finding(ranking: &Ranking) -> Finding {
    let subject = match &ranking.subject {
        Some(subject) => format!("{}={subject}", ranking.code),
        None => ranking.code.clone(),
    };
    let says = format!("--allow {subject} matches no finding");
    Finding::new(CHECK.code, Level::Warning, subject, says).help("remove it")
}
