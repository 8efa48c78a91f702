//! A symbol that no loaded object defines.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::undefined_symbols;
use crate::path::show;

pub(super) const CHECK: Check = Check {
    code: "symbol-missing",
    scope: Scope::Loading,
    text: "An object wants a symbol that neither the program nor any library it loads defines. If it is bound at the start \
           (data, or a program linked with -z now) the process ends at once with \"undefined symbol\"; a function bound \
           lazily ends it when it is first called, which may be much later: that is a warning.\n\n\
           Usual causes: a library of another release than the program was built against, without symbol versions to tell; \
           a library linked without naming what it needs (-Wl,--no-undefined shows it at link time). Build the program in the \
           root it is packed from.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    let is_bound_now = evidence.run.env.get("LD_BIND_NOW").is_some_and(|value| !value.is_empty());
    // Plug-ins may find their symbols in whoever opens them.
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
                "build {} against the libraries of this root, or take theirs from where it was built",
                requester.real
            )];
            if !found.iter().any(|known| known.says == finding.says) {
                found.push(finding);
            }
        }
    }
    Ok(found)
}
