//! A symbol that no loaded object defines.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::undefined_symbols;
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "symbol-missing",
    scope: Scope::Loading,
    text: "An object needs a symbol that neither the program nor any of its libraries defines. If the symbol is bound \
           at the start (data, or a program linked with -z now), the process ends at once with \"undefined symbol\". \
           If it is a lazily bound function, the process ends at the first call, which may be much later: that is a \
           warning.\n\n\
           Usual causes: the library is of another release than the one the program was built against, and has no \
           symbol versions; or a library was linked without its dependencies (-Wl,--no-undefined shows this at link \
           time). Build the program in the root that it is packed from.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    let is_bound_now = evidence.run.env.get("LD_BIND_NOW").is_some_and(|value| !value.is_empty());
    // Plug-ins may get their symbols from the program that opens them, so they are not checked.
    for started in
        evidence.closure.processes.iter().filter(|started| started.required && started.process.inherited == 0)
    {
        let process = &started.process;
        for undefined in undefined_symbols(evidence.objects, process, is_bound_now)? {
            let requester = &process.loaded[undefined.requester];
            let level = if undefined.at_start { Level::Error } else { Level::Warning };
            let mut finding = evidence.about(&CHECK, level, &requester.real, undefined.says(process));
            finding.subject = show(&undefined.name).into_owned();
            finding.wanted_by = Some(show(&requester.path).into_owned());
            finding.help = vec![format!(
                "build {} against the libraries of this root, or use the libraries that it was built against",
                requester.real
            )];
            if !found.iter().any(|known| known.says == finding.says) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
