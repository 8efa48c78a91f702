//! The cache lists a file that no longer exists.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::{FoundBy, Outcome};
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "cache-stale",
    scope: Scope::Loading,
    text: "/etc/ld.so.cache lists a file that no longer exists, and the library is nowhere else in the search path. It \
           was removed or moved after ldconfig ran. Install it again and run ldconfig in the builder stage.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for started in evidence.closure.processes.iter().filter(|started| started.required) {
        for missing in &started.process.missing {
            let gone = missing.search.steps.iter().find(|step| {
                step.source == FoundBy::Cache && !step.candidate.is_empty() && step.outcome == Outcome::NoFile
            });
            let Some(gone) = gone else { continue };
            let path = show(&gone.candidate).into_owned();
            let says = format!("the cache maps {} to {path}, which does not exist", show(&missing.name));
            let finding = Finding::new(CHECK.code, Level::Warning, path, says)
                .help("install the library again and run ldconfig in the builder stage");
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
