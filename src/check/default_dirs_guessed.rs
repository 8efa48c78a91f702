//! A loader whose default directories could not be read.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "default-dirs-guessed",
    scope: Scope::Loading,
    text: "The directories that a loader searches by default are compiled into it, and slimroot reads them there. In this loader \
           they were not to be found, so the usual ones of its machine are taken. If a library is then called missing that the \
           program finds, or found where it does not look, this is why: please report the loader.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for started in evidence.closure.processes.iter().filter(|started| started.required) {
        let is_guess = started.process.facts.as_ref().is_some_and(|facts| facts.dirs_guessed);
        let Some(loader) = started.process.loaded.get(1).filter(|_| is_guess) else { continue };
        let says = format!("the default directories of {} are a guess by its machine", loader.real);
        let finding = evidence.about(&CHECK, Level::Note, &loader.real, says);
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    Ok(found)
}
