//! A library that another names and may open, and that is not packed.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "dlopen-suggested",
    scope: Scope::Image,
    text: "A packed library holds the name of another one and imports dlopen, and the root has that other library. Libraries \
           open such for features that most programs never use (a mouse on a text console, encrypted disks, a graphics card), \
           so it is told and not packed. What the program itself names is packed, and so is what profiles know of.\n\n\
           If the feature is used, --include with the path adds the library and what it needs.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    if evidence.is_finished {
        return Ok(Vec::new());
    }
    let suggested = evidence.closure.suggested.iter();
    Ok(suggested
        .map(|suggested| {
            let says = format!("{} names {}, which it may open; it is not packed", suggested.by, suggested.name);
            let help = format!("--include {} adds {:.1} MB", suggested.real, suggested.bytes as f64 / 1e6);
            Finding::new(CHECK.code, Level::Note, suggested.real.to_string(), says).help(help)
        })
        .collect())
}
