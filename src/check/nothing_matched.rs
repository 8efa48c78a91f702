//! Patterns and profile rules without a match.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::profile::Need;

pub(super) const CHECK: Check = Check {
    code: "nothing-matched",
    scope: Scope::Image,
    text: "A pattern of --include or --exclude, a path of --copy, a name of --package, or a rule of a profile given with --profile \
           matches nothing in the root. Patterns are absolute paths inside the root; quote them, so that the shell \
           does not expand them against the host. For a profile, install the software it serves in the builder stage \
           (for example the ca-certificates or tzdata package).",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let unmatched = evidence.closure.unmatched.iter();
    Ok(unmatched
        .map(|rule| {
            let level = if rule.need == Need::Required { Level::Error } else { Level::Warning };
            let says = format!("{} matches nothing in the root: {}", rule.who, rule.what);
            let help = match rule.who.as_str() {
                "--include" => {
                    "quote the pattern, so that the shell does not expand it; it is an absolute path inside the root"
                }
                "--exclude" => "it has no effect: check the pattern, which is an absolute path inside the root",
                "--package" => "install it in the builder stage with dpkg, apk or rpm",
                "--copy" => "the first path must exist in the root",
                _ => "install the software that the profile serves in the builder stage, or remove the profile",
            };
            Finding::new(CHECK.code, level, rule.what.clone(), says).help(help)
        })
        .collect())
}
