//! An image that runs as root.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "runs-as-root",
    scope: Scope::Image,
    text: "The image's user is root: because --user says so, because the service unit that starts the entry names nobody, or \
           because the image names no user. Whoever breaks into the program owns the container, and whatever is mounted into \
           it. If the program needs no root: --user nonroot.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    if evidence.identity()?.is_none_or(|user| user.uid != 0) {
        return Ok(Vec::new());
    }
    let says = "the image runs as root".to_owned();
    let help = if evidence.is_finished {
        "docker run --user 65532:65532, if the program works so"
    } else {
        "--user nonroot, if the program works so"
    };
    Ok(vec![Finding::new(CHECK.code, Level::Note, evidence.user_shown(), says).help(help)])
}
