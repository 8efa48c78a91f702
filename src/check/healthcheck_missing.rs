//! The program of the image's health check is not in the image.

use std::collections::BTreeSet;

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::language::UnresolvedCommand;
use crate::path::{RootPath, show};
use crate::world::find_program;

pub(super) const CHECK: Check = Check {
    code: "healthcheck-missing",
    scope: Scope::Image,
    text: "The image has a HEALTHCHECK whose program is not in it or cannot be started. The container starts, but the \
           engine reports it as unhealthy after a few tries, and an orchestrator may restart it forever.\n\nOften the \
           check calls curl or wget, which the builder stage lacks. --healthcheck http://127.0.0.1:8000/health packs \
           slimroot's own small probe instead. Or install the program in the builder stage, or remove the check with \
           HEALTHCHECK NONE. A check in shell form needs /bin/sh. Kubernetes ignores HEALTHCHECK; its probes are in the \
           pod.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(command) = evidence.run.details.healthcheck.as_ref().and_then(|check| check.command()) else {
        return Ok(Vec::new());
    };
    let Some(program) = command.first() else { return Ok(Vec::new()) };
    let cwd = RootPath::new(&evidence.run.workdir).unwrap_or_else(RootPath::root);
    let path = evidence.run.env.get("PATH").map_or(crate::closure::DEFAULT_PATH, String::as_str);
    match find_program(evidence.image, program.as_bytes(), &cwd, path) {
        Ok(_) => {}
        Err(error) if error.code == "unreadable" => return Err(error),
        Err(error) => {
            let says =
                format!("the health check runs {}, which cannot be started: {}", show(program.as_bytes()), error.says);
            return Ok(vec![finding(evidence, program, says)]);
        }
    }
    let lost = evidence.closure.unresolved.iter().filter(|lost| is_of_check(evidence, lost));
    let words: BTreeSet<&str> = lost.map(|lost| lost.word.as_str()).collect();
    let says = |word: &str| format!("the health check runs {}, which is not in the image", show(word.as_bytes()));
    Ok(words.into_iter().map(|word| finding(evidence, word, says(word))).collect())
}

/// True for a command in the text of a health check in shell form.
pub(super) fn is_of_check(evidence: &Evidence<'_>, lost: &UnresolvedCommand) -> bool {
    let command = evidence.run.details.healthcheck.as_ref().and_then(|check| check.command());
    let Some([shell, option, text]) = command.as_deref() else { return false };
    let mut words = text.split(|c: char| c.is_whitespace() || "|&;()<>`'\"".contains(c));
    let is_text = option == "-c" && lost.script.as_bytes() == shell.as_bytes();
    is_text && lost.is_missing && words.any(|word| word == lost.word)
}

fn finding(evidence: &Evidence<'_>, program: &str, says: String) -> Finding {
    let address = evidence.run.details.healthcheck.as_ref().and_then(|check| check.address());
    let help = match address {
        Some(address) => format!(
            "--healthcheck {address} packs slimroot's own small probe instead; or install the program in the builder \
             stage; --healthcheck NONE removes the check",
            address = show(address.as_bytes())
        ),
        None => "install it in the builder stage, or set a check with a program of the image (--healthcheck), or \
                 --healthcheck NONE"
            .to_owned(),
    };
    Finding::new(CHECK.code, Level::Warning, show(program.as_bytes()), says).help(help)
}
