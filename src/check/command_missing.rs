//! A script starts a program that does not exist.

use super::{Check, Evidence, Scope, healthcheck_missing};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "command-missing",
    scope: Scope::Image,
    text: "A shell script in the image runs a command that is neither a function, nor a builtin of its shell, nor a \
           program in the script's PATH. When the line is reached, the shell prints \"not found\" (exit status 127). \
           All branches are checked, because the branches taken depend on the run. Install the program in the builder \
           stage. A script that checks first (command -v NAME) handles a missing program itself, so that is only a \
           note, and so is one in a script of a package, which depends on what it cannot do without. If the line is never reached, use --allow command-missing=NAME.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for lost in evidence.closure.unresolved.iter().filter(|lost| lost.is_missing) {
        if healthcheck_missing::is_of_check(evidence, lost) {
            continue;
        }
        let known = found.iter().position(|known| known.subject == lost.word);
        if known.is_some_and(|at| found[at].level == Level::Warning) {
            continue;
        }
        // A package depends on all programs that its scripts require.
        let owner = evidence.owner(&lost.script)?;
        let level = if owner.is_some() { Level::Note } else { Level::Warning };
        match known {
            Some(_) if level == Level::Note => continue,
            Some(at) => drop(found.remove(at)),
            None => {}
        }
        let says = format!("{} starts {} in line {}, which is not in the image", lost.script, lost.word, lost.line);
        let mut finding = evidence.about(&CHECK, level, &lost.script, says);
        finding.subject.clone_from(&lost.word);
        finding.help.extend(lost.help.clone());
        let name = lost.word.rsplit('/').next().unwrap_or(&lost.word);
        let package = evidence.package_with(name.as_bytes())?;
        finding.help.push(match package {
            Some(package) => format!("the package {package} contains a file of that name: add its directory to PATH"),
            None => format!("install {} in the builder stage", lost.word),
        });
        found.push(finding);
    }
    Ok(found)
}
