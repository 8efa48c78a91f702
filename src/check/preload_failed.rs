//! A preloaded object that cannot be loaded.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "preload-failed",
    scope: Scope::Loading,
    text: "LD_PRELOAD, /etc/ld.so.preload or LD_AUDIT names an object that cannot be loaded. The loader prints a \
           message on stderr whenever a program starts, and continues without it. Install the object in the builder \
           stage or remove the name.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for started in evidence.closure.processes.iter().filter(|started| started.required) {
        for warning in &started.process.warnings {
            let path = show(&warning.path);
            let finding = Finding::new(CHECK.code, Level::Warning, path.clone(), format!("{path}: {}", warning.says));
            let finding = finding
                .help("install it in the builder stage, or remove it from LD_PRELOAD, LD_AUDIT or /etc/ld.so.preload");
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
