//! The image's user may not read a script or library that it runs.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use std::collections::BTreeSet;

pub(super) const CHECK: Check = Check {
    code: "entry-not-readable",
    scope: Scope::Image,
    text: "The image's user may not read the entry script, or a library that the entry loads. An ELF program needs \
           only execute permission; scripts and libraries must be readable. Run chmod a+r on it in the builder stage, \
           or choose another user with --user.",
    find,
};

/// Read permission, as in one digit of a mode.
const READ: u32 = 0o4;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(user) = evidence.identity()? else { return Ok(Vec::new()) };
    let mut wanted = BTreeSet::new();
    for started in evidence.closure.processes.iter().filter(|started| started.required) {
        wanted.extend(started.process.loaded.iter().skip(1).map(|object| object.real.clone()));
    }
    // The interpreter reads the script, so it needs read permission too.
    for path in evidence.executed() {
        let is_script = evidence.image.meta(&path)?.is_some() && evidence.image.head(&path, 2)? == b"#!";
        if is_script {
            wanted.insert(path);
        }
    }
    let mut found = Vec::new();
    for path in wanted {
        let Some(meta) = evidence.image.meta(&path)? else { continue };
        if !user.may(&meta, READ) {
            let says =
                format!("the image's user cannot read {path} (user {}, mode {:04o})", evidence.user_shown(), meta.mode);
            let finding = evidence.about(&CHECK, Level::Error, &path, says);
            found.push(finding.help(format!("chmod a+r {path} in the builder stage")));
        }
    }
    Ok(found)
}
