//! The program and its loader are built for different machines.

use super::{Check, Evidence, Scope, because};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "wrong-machine",
    scope: Scope::Loading,
    text: "The program's loader exists, but it is built for another machine or word size than the program, or it is \
           not a usable ELF object. The kernel refuses to start such a program, even where an emulator would run \
           both.\n\n\
           The usual cause is a program copied from an image for another architecture. Take both from the same root, \
           for example by building with docker build --platform.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for started in &evidence.closure.processes {
        for fault in started.process.faults.iter().filter(|fault| fault.class == "interpreter-bad") {
            let level = if started.required { Level::Error } else { Level::Warning };
            let subject = &started.process.subject();
            let says = format!("{} cannot be started: {}", show(&subject.path), fault.says);
            let mut finding = Finding::new(CHECK.code, level, show(&subject.path), says);
            finding.because = because(evidence.closure, &subject.real);
            finding.help.push("take the program and its loader from the same root".to_owned());
            found.push(finding);
        }
    }
    Ok(found)
}
