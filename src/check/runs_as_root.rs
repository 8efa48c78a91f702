//! The image runs as root.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "runs-as-root",
    scope: Scope::Image,
    text: "The image's user is root: because --user says so, because the service unit that starts the entry names no \
           user, or because the image names no user. An attacker who breaks into the program controls the container \
           and everything mounted into it. If the program does not need root, use --user nonroot.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    if evidence.identity()?.is_none_or(|user| user.uid != 0) {
        return Ok(Vec::new());
    }
    let says = "the image runs as root".to_owned();
    let help = if evidence.is_finished {
        "try docker run --user 65532:65532"
    } else {
        "use --user nonroot if the program works without root"
    };
    Ok(vec![Finding::new(CHECK.code, Level::Note, evidence.user_shown(), says).help(help)])
}
