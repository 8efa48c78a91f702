//! A module that the application imports in every run and that no directory of the search path has.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "module-missing",
    scope: Scope::Image,
    text: "A source of the application, or of a Python package that it imports, imports a module at its top level, outside \
           any block. The module is not built in, and is in no directory of the interpreter's search path. The application ends at its start \
           (ModuleNotFoundError in Python, \"Cannot find module\" in Node, LoadError in Ruby, \"Can't locate\" in Perl, \
           \"Failed opening required\" in PHP). Install the module in the builder stage, into the environment that the \
           entry runs in: a virtual environment is used only if the entry is started through it, and devDependencies \
           are not installed by npm ci --omit=dev. Sources that change the search path at run time are not checked. A \
           source that looks up time zones by name needs the zones too: /usr/share/zoneinfo, or the package tzdata of \
           Python.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for one in &evidence.closure.missing_modules {
        let mut finding = Finding::new(CHECK.code, Level::Warning, one.module.clone(), one.says.clone());
        finding.wanted_by = Some(one.file.to_string());
        // A module may also be a package of the distribution.
        finding.help.extend(evidence.install(&one.module)?);
        found.push(finding.help(one.help.clone()));
    }
    Ok(found)
}
