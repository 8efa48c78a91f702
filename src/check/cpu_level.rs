//! An object that wants a better CPU than is counted on.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "cpu-level",
    scope: Scope::Loading,
    text: "An object of the process is marked as needing a CPU level (.note.gnu.property, x86-64-v2 to v4) above the one that is \
           counted on. On a lesser CPU glibc ends the process with \"CPU ISA level is lower than required\". If every machine \
           has such a CPU, say so with --cpu; else build for the baseline.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for started in evidence.closure.processes.iter().filter(|started| started.required) {
        for object in &started.process.loaded {
            let Some(level) = object.elf.isa_level().filter(|level| *level > evidence.closure.cpu_level) else {
                continue;
            };
            let says = format!("{} needs a CPU of level x86-64-v{level}", object.real);
            let finding = evidence.about(&CHECK, Level::Warning, &object.real, says);
            let finding =
                finding.help(format!("--cpu x86-64-v{level} if every machine has one; else build it for the baseline"));
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
