//! A script starts the command in a variable whose value is unknown.

use std::collections::BTreeMap;

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::language::UnresolvedCommand;

pub(super) const CHECK: Check = Check {
    code: "command-unknown",
    scope: Scope::Image,
    text: "A script runs the command in a variable, and neither the script, nor the image's environment, nor the \
           arguments set that variable. The program is in the image only if something else refers to it. Give the \
           arguments of the container after the entry, set the variable (--env NAME=VALUE), or add the program (--bin \
           PATH).",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    // Similar scripts use the same variable: report it once.
    let mut words: BTreeMap<&str, Vec<&UnresolvedCommand>> = BTreeMap::new();
    for lost in evidence.closure.unresolved.iter().filter(|lost| !lost.is_missing) {
        let known = words.entry(&lost.word).or_default();
        if !known.iter().any(|known| known.script == lost.script && known.line == lost.line) {
            known.push(lost);
        }
    }
    Ok(words
        .into_values()
        .map(|all| {
            let lost = all[0];
            let more = match all.len() - 1 {
                0 => String::new(),
                1 => ", as one more line does".to_owned(),
                more => format!(", as {more} more lines do"),
            };
            let says =
                format!("{} starts {} in line {}{more}, and its value is unknown", lost.script, lost.word, lost.line);
            let mut finding = evidence.about(&CHECK, Level::Note, &lost.script, says);
            finding.subject.clone_from(&lost.word);
            finding.help(match lost.word.as_str() {
                "$@" => "give the arguments of the image's CMD after the entry",
                _ => "set the variable with --env NAME=VALUE, or add the program with --bin PATH",
            })
        })
        .collect())
}
