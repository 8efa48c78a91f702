//! A script starts a program that is not there.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "command-missing",
    scope: Scope::Image,
    text: "A shell script of the image has a command that is no function, no part of its shell, and no program in the script's \
           PATH: \"not found\", exit status 127, once the line is reached. Every branch counts, since what is reached depends \
           on the run. Install the program in the builder stage, or have the script ask for it first (command -v NAME): what \
           it asks for is its own business, and only a note. --allow command-missing=NAME if the line is never reached.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for lost in evidence.closure.unstarted.iter().filter(|lost| lost.is_missing) {
        if found.iter().any(|known| known.subject == lost.word) {
            continue;
        }
        let says = format!("{} starts {} in line {}, which is not there", lost.script, lost.word, lost.line);
        let mut finding = evidence.about(&CHECK, Level::Warning, &lost.script, says);
        finding.subject.clone_from(&lost.word);
        finding.help.extend(lost.help.clone());
        let name = lost.word.rsplit('/').next().unwrap_or(&lost.word);
        let package = evidence.package_with(name.as_bytes())?;
        finding.help.push(match package {
            Some(package) => format!("the package {package} has a file of that name: give its directory in PATH"),
            None => format!("install {} in the builder stage", lost.word),
        });
        found.push(finding);
    }
    Ok(found)
}
