//! A pattern of `--exclude` whose matches are in the image nevertheless.

use super::{Check, Evidence, Scope, because};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "exclude-overruled",
    scope: Scope::Image,
    text: "--exclude matches files that are in the image nevertheless. It leaves out files that patterns, packages, \
           profiles and directories of applications add, but not files that a program needs to start, files that \
           another file names or starts, or files that slimroot generates. The finding shows the reason. To keep the \
           files out anyway, disable the rule that finds them (--no-rule ID, which leaves out everything that this rule \
           finds), or leave out shells (--no-shell). `slimroot explain rule:ID` says what a rule packs.",
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
                Some(rule) => finding.help(format!("--no-rule {rule} leaves out everything that this rule finds")),
                None => finding,
            }
        })
        .collect())
}
