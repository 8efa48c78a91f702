//! `--pyc` or `--jlink` had no effect.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "not-made",
    scope: Scope::Image,
    text: "--pyc and --jlink run programs of the root, and these could not be run or failed. The image is the same as \
           without the option: Python compiles its sources at every start, and the Java runtime is complete. slimroot \
           can run programs of the root only if it runs in the builder stage itself, or can create mounts (as root with \
           CAP_SYS_ADMIN, or with user namespaces), and only on a machine of the root's architecture. Use --deny \
           not-made to make this an error.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let finding = |unmade: &crate::closure::Unmade| {
        let says = format!("{} has no effect: {}", unmade.what, unmade.why);
        Finding::new(CHECK.code, Level::Warning, unmade.what.clone(), says)
            .help("remove the option, or run slimroot in the builder stage, where it can run the root's programs")
    };
    Ok(evidence.closure.unmade.iter().map(finding).collect())
}
