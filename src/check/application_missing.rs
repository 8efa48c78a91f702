//! What an interpreter is given to run is not there.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "application-missing",
    scope: Scope::Image,
    text: "The command gives an interpreter a file to run (python3 app.py, node index.js, java -jar app.jar) that is not there, or \
           a Python module (-m NAME, NAME:OBJECT) that is in none of the directories where it is looked for. Relative names count \
           from the image's working directory: say which it is with --workdir, as WORKDIR does in a Dockerfile. A file is an \
           error, behind a script a warning, and so is a module, since a program may look for modules elsewhere. --allow application-missing=WORD if it is \
           mounted when the container runs.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let absent = evidence.closure.absent.iter();
    Ok(absent
        .map(|one| {
            let level = if one.is_certain { Level::Error } else { Level::Warning };
            let says = format!("{} is to run {}, but there is no {}", one.program, one.word, one.what);
            let finding = Finding::new(CHECK.code, level, one.word.clone(), says);
            let finding = match &one.workdir {
                Some(dir) if evidence.is_finished => {
                    finding.help(format!("WORKDIR {dir} in the Dockerfile, where it is"))
                }
                Some(dir) => finding.help(format!("--workdir {dir}, where it is")),
                None if evidence.is_finished => {
                    finding.help("put it into the image, or set the right working directory")
                }
                None => finding.help("put it into the builder stage, or name the right --workdir"),
            };
            finding.help(format!("--allow application-missing={}, if it is mounted at run time", one.word))
        })
        .collect())
}
