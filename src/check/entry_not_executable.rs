//! The image's user may not execute the entry.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "entry-not-executable",
    scope: Scope::Image,
    text: "The entry, its loader or the interpreter of its #! line is not executable by the image's user, or a parent \
           directory is not searchable. The runtime fails with \"permission denied\". Run chmod a+rx on it in the \
           builder stage (git and some ways of copying lose the execute bit), or choose another user with --user.",
    find,
};

/// Execute permission, as in one digit of a mode.
const EXECUTE: u32 = 0o1;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(user) = evidence.identity()? else { return Ok(Vec::new()) };
    let mut found: Vec<Finding> = Vec::new();
    for path in evidence.executed() {
        for above in path.ancestors() {
            let Some(meta) = evidence.image.meta(&above)? else { continue };
            if !above.is_root() && !user.may(&meta, EXECUTE) {
                let says = format!(
                    "the image's user {} cannot enter {above} (mode {:04o}), which contains {path}",
                    evidence.user_shown(),
                    meta.mode
                );
                let finding = evidence.about(&CHECK, Level::Error, &path, says);
                found.push(finding.help(format!("chmod a+x {above} in the builder stage")));
                break;
            }
        }
        let Some(meta) = evidence.image.meta(&path)? else { continue };
        if !user.may(&meta, EXECUTE) {
            let says =
                format!("the image's user {} cannot execute {path} (mode {:04o})", evidence.user_shown(), meta.mode);
            let finding = evidence.about(&CHECK, Level::Error, &path, says);
            found.push(finding.help(format!("chmod a+rx {path} in the builder stage")));
        }
    }
    Ok(found)
}
