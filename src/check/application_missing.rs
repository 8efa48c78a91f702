//! The file or module that an interpreter should run does not exist.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::RootPath;

pub(super) const CHECK: Check = Check {
    code: "application-missing",
    scope: Scope::Image,
    text: "The command names a file that does not exist (python3 app.py, node index.js, java -jar app.jar), or a \
           Python module (-m NAME, NAME:OBJECT) that is not in any directory of the module search path. Relative names \
           are resolved against the image's working directory: set it with --workdir, like WORKDIR in a Dockerfile. A \
           missing file is an error, or a warning if a script starts the interpreter. A missing module is a warning, \
           because a program may extend its search path, and so is one that lies in a directory such as / which holds \
           more than one application and is not packed as a whole. If the file is mounted at run time, use --allow \
           application-missing=WORD.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let is_there = |place: &RootPath| {
        evidence.is_finished
            || evidence.closure.graph.contains(place)
            || evidence.closure.graph.contains(&place.join(b"__init__.py"))
    };
    let missing = evidence.closure.missing_applications.iter().filter(|one| !one.place.as_ref().is_some_and(is_there));
    Ok(missing
        .map(|one| {
            let level = if one.is_certain { Level::Error } else { Level::Warning };
            let says = format!("{} should run {}, but there is no {}", one.program, one.word, one.what);
            let finding = Finding::new(CHECK.code, level, one.word.clone(), says);
            if let Some(place) = &one.place {
                let is_file = place.name().contains(&b'.');
                let rest = if is_file { "" } else { "/**" };
                return finding
                    .help(format!(
                        "--include '{place}{rest}' adds it; add the files that it imports from the same \
                                   directory in the same way"
                    ))
                    .help("or put the application into its own directory, such as /app, and use --workdir /app");
            }
            let finding = match &one.workdir {
                Some(dir) if evidence.is_finished => {
                    finding.help(format!("it is in {dir}: set WORKDIR {dir} in the Dockerfile"))
                }
                Some(dir) => finding.help(format!("it is in {dir}: use --workdir {dir}")),
                None if evidence.is_finished => {
                    finding.help("put it into the image, or set the right working directory")
                }
                None => finding.help("put it into the builder stage, or set the right --workdir"),
            };
            finding.help(format!("if it is mounted at run time: --allow application-missing={}", one.word))
        })
        .collect())
}
