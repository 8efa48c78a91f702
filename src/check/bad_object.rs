//! A file that a loader comes to and dies of.

use super::{Check, Evidence, because};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "bad-object",
    text: "The loader comes to a file under a library's name that it cannot use, and the process dies of it although a good \
           file may lie further on: a linker script (a text file named lib*.so), an empty file, a directory, a program \
           instead of a library, a damaged or cut-off object.\n\n\
           Remove or replace the file in the builder stage. A linker script belongs to the -dev package only: link against \
           the versioned name.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for started in &evidence.closure.processes {
        for fault in &started.process.faults {
            if matches!(fault.class, "interpreter-missing" | "interpreter-bad" | "unknown-loader") {
                continue;
            }
            // A linker script has a code of its own.
            if evidence.lost()?.iter().any(|lost| lost.code == "linker-script" && names(lost, &fault.path)) {
                continue;
            }
            let level = if started.required { Level::Error } else { Level::Warning };
            let path = show(&fault.path);
            let says = format!("the loader dies of {path} ({}): {}", fault.class, fault.says);
            let mut finding = Finding::new(CHECK.code, level, path, says);
            finding.because = because(evidence.closure, &started.process.subject().real);
            finding.help.push("remove or replace that file in the builder stage".to_owned());
            found.push(finding);
        }
    }
    Ok(found)
}

fn names(lost: &Finding, path: &[u8]) -> bool {
    lost.searched.iter().any(|step| step.candidate == show(path))
}
