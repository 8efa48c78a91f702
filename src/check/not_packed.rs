//! Devices, sockets and pipes among the files that patterns add.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "not-packed",
    scope: Scope::Image,
    text: "A pattern matches a device, socket or named pipe. Container runtimes mount their own /dev, and sockets and \
           pipes are useless in an image, so slimroot does not pack them.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let left = evidence.closure.not_packed.iter();
    Ok(left
        .map(|path| {
            let says = format!("{path} is a device, socket or pipe and is not packed");
            Finding::new(CHECK.code, Level::Note, path.to_string(), says)
        })
        .collect())
}
