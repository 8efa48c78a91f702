//! Something that running a program of the root should have made.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "not-made",
    scope: Scope::Image,
    text: "--pyc and --jlink have programs of the root make what is packed, and these could not be run or failed. The image is \
           as it would be without the option: Python compiles its sources at every start, the Java runtime is whole. \
           Programs of a root run where slimroot runs in the builder stage itself, or where it may make mounts of its own \
           (as root with CAP_SYS_ADMIN, or where user namespaces are allowed), on the architecture of the root. --deny \
           not-made makes it an error.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let finding = |unmade: &crate::closure::Unmade| {
        let says = format!("{} has no effect: {}", unmade.what, unmade.why);
        Finding::new(CHECK.code, Level::Warning, unmade.what.clone(), says)
            .help("leave the option out; if the root's programs cannot be run from here, run slimroot in the builder stage itself")
    };
    Ok(evidence.closure.unmade.iter().map(finding).collect())
}
