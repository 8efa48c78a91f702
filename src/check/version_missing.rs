//! A symbol version that a library does not define.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::unmet_versions;
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "version-missing",
    scope: Scope::Loading,
    text: "An object was linked against a newer release of a library than the root holds: it wants a symbol version (such as \
           GLIBC_2.38) that the library there does not define. The process ends at its start with \"version `GLIBC_2.38' \
           not found\".\n\n\
           The commonest cause is a program built in one stage (a newer distribution) and packed from another. Build it in \
           the root that it is packed from, or pack the root that it was built in. Copying the newer libc.so.6 alone makes \
           things worse: it belongs to one loader.",
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
                format!("build {} in this root, or pack it from the root it was built in", requester.real),
                format!("objdump -T {} | grep {} shows which symbols want it", requester.real, finding.subject),
            ];
            // Several processes share a library.
            if !found.iter().any(|known| known.says == finding.says) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
