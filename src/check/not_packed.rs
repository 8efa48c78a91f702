//! Devices, sockets and pipes among the files asked for.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "not-packed",
    scope: Scope::Image,
    text: "A device, socket or named pipe is among the files that a pattern takes. Runtimes mount their own /dev, and \
           sockets and pipes mean nothing in an image, so these are left out.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let left = evidence.closure.not_packed.iter();
    Ok(left
        .map(|path| {
            let says = format!("{path} is a device, socket or pipe: it is left out");
            Finding::new(CHECK.code, Level::Note, path.to_string(), says)
        })
        .collect())
}
