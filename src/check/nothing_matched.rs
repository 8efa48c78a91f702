//! Patterns and rules that found nothing.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::profile::Need;

pub(super) const CHECK: Check = Check {
    code: "nothing-matched",
    scope: Scope::Image,
    text: "A pattern of --include, a path of --copy, a name of --package, or a rule of a profile that was asked for, found nothing in the root. Patterns are \
           absolute paths inside the root, and are quoted so that the shell does not expand them against the host. For a \
           profile, install in the builder stage what it is about (for example the ca-certificates or tzdata package).",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let unmatched = evidence.closure.unmatched.iter();
    Ok(unmatched
        .map(|rule| {
            let level = if rule.need == Need::Required { Level::Error } else { Level::Warning };
            let says = format!("{} found nothing in the root: {}", rule.who, rule.what);
            let help = match rule.who.as_str() {
                "--include" => "quote the pattern, so that the shell leaves it alone; it is absolute in the root",
                "--package" => "install it in the builder stage; its database must be dpkg's, apk's or rpm's",
                "--copy" => "the first path is looked up in the root",
                _ => "install in the builder stage what the profile is about, or leave the profile out",
            };
            Finding::new(CHECK.code, level, rule.what.clone(), says).help(help)
        })
        .collect())
}
