//! A script starts what a variable says, and nobody says what that is.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "command-unknown",
    scope: Scope::Image,
    text: "A shell script starts what a variable holds, and neither the script, nor the image's environment, nor the arguments \
           say what that is. What it starts is in the image only if a word elsewhere names it. Give the arguments that the \
           container gets (they stand after the entry), the variable (--env NAME=VALUE), or the program (--bin PATH).",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let lost = evidence.closure.unstarted.iter().filter(|lost| !lost.is_missing);
    Ok(lost
        .map(|lost| {
            let says =
                format!("{} starts {} in line {}: what that is, nothing says", lost.script, lost.word, lost.line);
            let mut finding = evidence.about(&CHECK, Level::Note, &lost.script, says);
            finding.subject.clone_from(&lost.word);
            finding.help(match lost.word.as_str() {
                "$@" => "give the words of the image's CMD after the entry",
                _ => "--env NAME=VALUE for the variable, or --bin PATH for the program",
            })
        })
        .collect())
}
