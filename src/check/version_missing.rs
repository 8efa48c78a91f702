//! A symbol version that a library does not define.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::unmet_versions;
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "version-missing",
    scope: Scope::Loading,
    text: "An object was linked against a newer release of a library than the root has: it needs a symbol version \
           (such as GLIBC_2.38) that the library in the root does not define. The process ends at its start with \
           \"version `GLIBC_2.38' not found\".\n\n\
           The most common cause is a program that was built in one stage (a newer distribution) and is packed from \
           another. Build it in the root that it is packed from, or pack the root in which it was built. Do not copy \
           the newer libc.so.6 alone: it works only with its own loader.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for started in &evidence.closure.processes {
        let process = &started.process;
        for unmet in unmet_versions(evidence.objects, process)? {
            let requester = &process.loaded[unmet.requester];
            let level = if started.required { Level::Error } else { Level::Warning };
            let mut finding = evidence.about(&CHECK, level, &requester.real, unmet.says(process));
            finding.subject = show(&unmet.version).into_owned();
            finding.wanted_by = Some(show(&requester.path).into_owned());
            finding.help = vec![
                format!("build {} in this root, or pack it from the root in which it was built", requester.real),
                format!("objdump -T {} | grep {} shows which symbols need it", requester.real, finding.subject),
            ];
            // Several processes may load the same library: report it once.
            if !found.iter().any(|known| known.says == finding.says) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
