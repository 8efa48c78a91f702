//! A file that configuration names and that is not there.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::show;
use crate::profile::Need;

pub(super) const CHECK: Check = Check {
    code: "config-missing",
    scope: Scope::Image,
    text: "A configuration file that a profile reads names a module or another configuration file that the root does not have. \
           Where the program does not start without it (load_module of nginx, LoadModule of Apache) that is an error, else a \
           warning: it goes on with less than was asked for. What stands under a condition is not looked at. Install what the \
           line names in the builder stage, take the line out, or leave the profile out with --no-profile.",
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
            finding.help(format!("put {path} into the builder stage, or take line {} out of {}", one.line, one.file))
        })
        .collect())
}
