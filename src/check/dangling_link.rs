//! Dangling symlinks among the files that patterns and profiles add.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "dangling-link",
    scope: Scope::Image,
    text: "A pattern or profile adds a symlink whose target does not exist in the root. The symlink is packed \
           unchanged. This is fine if the target appears at run time (a socket, a mounted volume). If the target is in \
           another stage, copy it into this one.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let dangling = evidence.closure.dangling.iter();
    Ok(dangling
        .map(|path| {
            Finding::new(
                CHECK.code,
                Level::Note,
                path.to_string(),
                format!("the target of the symlink {path} does not exist in the root"),
            )
        })
        .collect())
}
