//! A configuration file names a file that does not exist.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::show;
use crate::profile::Need;

pub(super) const CHECK: Check = Check {
    code: "config-missing",
    scope: Scope::Image,
    text: "A configuration file that a profile reads names a module or another configuration file that the root does \
           not have. It is an error if the program does not start without the file (load_module of nginx, LoadModule \
           of Apache), otherwise a warning: the program starts, but something is missing. Statements under a condition \
           are not checked. Install the file in the builder stage, remove the line, or disable the profile with \
           --no-profile.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let absent = evidence.closure.unconfigured.iter();
    Ok(absent
        .map(|one| {
            let level = if one.need == Need::Required { Level::Error } else { Level::Warning };
            let path = show(&one.path);
            let says = format!("{}:{} says {}, but there is no {path}", one.file, one.line, one.says);
            let finding = Finding::new(CHECK.code, level, path.clone(), says);
            finding.help(format!("put {path} into the builder stage, or remove line {} of {}", one.line, one.file))
        })
        .collect())
}
