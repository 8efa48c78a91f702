//! A file that makes the loader abort.

use super::{Check, Evidence, Scope, because};
use crate::closure::Started;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::Family;
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "bad-object",
    scope: Scope::Loading,
    text: "The loader finds a file with the library's name that it cannot use, and aborts the process, even if a \
           usable file exists later in the search path. Such files are a linker script (a text file named lib*.so), an \
           empty file, a directory, a program instead of a library, or a damaged or truncated object.\n\n\
           Remove or replace the file in the builder stage. Linker scripts are for linking only and belong to the -dev \
           package: link against the versioned name.",
    find,
};

const HELP: &str = "remove or replace that file in the builder stage";

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for started in &evidence.closure.processes {
        for fault in &started.process.faults {
            if matches!(fault.class, "interpreter-missing" | "interpreter-bad" | "unknown-loader") {
                continue;
            }
            // A linker script has its own code.
            if evidence.diagnoses()?.iter().any(|lost| lost.code == "linker-script" && names(lost, &fault.path)) {
                continue;
            }
            let level = if started.required { Level::Error } else { Level::Warning };
            let path = show(&fault.path);
            let says = format!("the loader cannot use {path} and aborts ({}): {}", fault.class, fault.says);
            let mut finding = Finding::new(CHECK.code, level, path, says);
            finding.because = because(evidence.closure, &started.process.subject().real);
            finding.help.push(HELP.to_owned());
            found.push(finding);
        }
        found.extend(damaged_versions(evidence, started)?);
    }
    Ok(found)
}

/// Objects with damaged version tables. glibc reads the tables after it has loaded everything
/// (`_dl_check_all_versions`) and aborts. musl ignores versions.
fn damaged_versions(evidence: &Evidence<'_>, started: &Started) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    let process = &started.process;
    if process.constants.as_ref().is_none_or(|constants| constants.family == Family::Musl) || !process.is_whole() {
        return Ok(found);
    }
    for object in &process.loaded[process.inherited..] {
        let read = evidence.objects.read(&object.real)?;
        let Err(defect) = &read.versions else { continue };
        let level = if started.required { Level::Error } else { Level::Warning };
        let says = format!("the loader cannot use {} and aborts ({}): {defect}", show(&object.path), defect.class);
        let mut finding = evidence.about(&CHECK, level, &object.real, says);
        finding.subject = show(&object.path).into_owned();
        finding.help.push(HELP.to_owned());
        found.push(finding);
    }
    Ok(found)
}

fn names(lost: &Finding, path: &[u8]) -> bool {
    lost.searched.iter().any(|step| step.candidate == show(path))
}
