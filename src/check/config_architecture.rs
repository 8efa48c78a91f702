//! The image's configuration and its entry have different architectures.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::plan::platform;

pub(super) const CHECK: Check = Check {
    code: "config-architecture",
    scope: Scope::Image,
    text: "The image's configuration states one architecture, but the entry is built for another. Engines select \
           images by the stated architecture, and the kernel then fails with \"exec format error\". The usual cause is \
           a cross-compiled program in an image for the build machine's platform. Build the image with docker build \
           --platform (slimroot has no such option), or let slimroot write the image: it states the architecture of \
           the entry.",
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
    let says = format!("the image states the architecture {stated}, but {} is built for {real}", entry.real);
    let finding = evidence.about(&CHECK, Level::Error, &entry.real, says);
    Ok(vec![
        finding.help(format!("build the program for {stated}, or the image with docker build --platform linux/{real}")),
    ])
}
