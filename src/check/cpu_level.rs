//! An object requires a higher CPU level than the image may assume.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "cpu-level",
    scope: Scope::Loading,
    text: "An object is marked as requiring a CPU level (.note.gnu.property, x86-64-v2 to v4) above the level given \
           with --cpu, which is the baseline by default. On an older CPU glibc ends the process with \"CPU ISA level \
           is lower than required\". If all your machines have such a CPU, say so with --cpu; otherwise build for the \
           baseline.",
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
            let finding = finding
                .help(format!("use --cpu x86-64-v{level} if all machines have one, otherwise build for the baseline"));
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
