//! An image for one architecture with an entry for another.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::plan::platform;

pub(super) const CHECK: Check = Check {
    code: "config-architecture",
    scope: Scope::Image,
    text: "The image's configuration states one architecture, its entry is built for another. Engines choose images by the stated \
           one, and the kernel then says \"exec format error\". Usual cause: a cross-compiled program in an image of the build \
           machine's platform. Build with --platform, or let slimroot state what the entry is built for.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let stated = &evidence.run.architecture;
    let Some(started) = evidence.closure.processes.iter().find(|started| started.required) else {
        return Ok(Vec::new());
    };
    let entry = &started.process.loaded[0];
    let (real, _) = platform(&entry.elf.target);
    if stated.is_empty() || *stated == real {
        return Ok(Vec::new());
    }
    let says = format!("the image says it is for {stated}, but {} is built for {real}", entry.real);
    let finding = evidence.about(&CHECK, Level::Error, &entry.real, says);
    Ok(vec![finding.help(format!("build the program for {stated}, or the image with --platform linux/{real}"))])
}
