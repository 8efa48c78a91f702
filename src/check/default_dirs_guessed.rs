//! The default directories of a loader could not be read.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "default-dirs-guessed",
    scope: Scope::Loading,
    text: "The default search directories are compiled into a loader, and slimroot reads them from it. It did not find \
           them in this loader and assumes the usual ones of the architecture. If slimroot then reports a library as \
           missing that the program finds, or finds one that the program does not, this is the cause: please report \
           the loader.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    for started in evidence.closure.processes.iter().filter(|started| started.required) {
        let is_guess = started.process.constants.as_ref().is_some_and(|constants| constants.dirs_guessed);
        let Some(loader) = started.process.loaded.get(1).filter(|_| is_guess) else { continue };
        let says = format!(
            "the default directories of {} were not found in it: the usual ones of its architecture are assumed",
            loader.real
        );
        let finding = evidence.about(&CHECK, Level::Note, &loader.real, says);
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    Ok(found)
}
