//! The program of the image's health check is not in the image.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
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
        Ok(_) => Ok(Vec::new()),
        Err(error) if error.code == "unreadable" => Err(error),
        Err(error) => {
            let shown = show(program.as_bytes());
            let says = format!("the health check runs {shown}, which cannot be started: {}", error.says);
            let address = evidence.run.details.healthcheck.as_ref().and_then(|check| check.address());
            let help = match address {
                Some(address) => format!(
                    "--healthcheck {address} packs slimroot's own small probe instead; or install the program in the \
                     builder stage; --healthcheck NONE removes the check",
                    address = show(address.as_bytes())
                ),
                None => {
                    "install it in the builder stage, or set a check with a program of the image (--healthcheck), or \
                         --healthcheck NONE"
                        .to_owned()
                }
            };
            Ok(vec![Finding::new(CHECK.code, Level::Warning, shown, says).help(help)])
        }
    }
}
