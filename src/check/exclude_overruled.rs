//! A pattern of `--exclude` that does not keep out what it matches.

use super::{Check, Evidence, Scope, because};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "exclude-overruled",
    scope: Scope::Image,
    text: "--exclude names files that are in the image all the same. It keeps out what patterns, packages, profiles and \
           directories of applications add, but not what a program needs to start, what another file names or starts, \
           or what slimroot makes. The finding shows the reason. To keep the files out anyway, leave out the rule that \
           finds them (--no-rule ID, which leaves out all that this rule finds), or the shells (--no-shell). `slimroot \
           explain rule:ID` says what a rule packs.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let closure = evidence.closure;
    let overruled = closure.overruled.iter();
    Ok(overruled
        .map(|(pattern, first, count)| {
            let more = if *count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            let says = format!("--exclude {pattern} does not keep out {first}{more}: something else needs it");
            let mut finding = Finding::new(CHECK.code, Level::Warning, pattern.clone(), says);
            finding.because = because(closure, first);
            let rule = closure.why(first).last().map(|edge| edge.rule);
            match rule {
                Some(rule) => finding.help(format!("--no-rule {rule} leaves out all that this rule finds")),
                None => finding,
            }
        })
        .collect())
}
