//! A packed library may open another library that is not packed.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "dlopen-suggested",
    scope: Scope::Image,
    text: "A packed library contains the name of another library and imports dlopen, and the root has that other \
           library. Such libraries often serve features that most programs never use (a mouse on a text console, \
           encrypted disks, a graphics card), so slimroot reports them and does not pack them. Libraries whose names \
           the program itself contains, and those of profiles, are packed.\n\n\
           If you use the feature, add the library and its dependencies with --include PATH.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    if evidence.is_finished {
        return Ok(Vec::new());
    }
    let suggested = evidence.closure.suggested.iter();
    Ok(suggested
        .map(|suggested| {
            let says = format!("{} may open {}, which is not packed", suggested.by, suggested.name);
            let help = format!("--include {} adds {:.1} MB", suggested.real, suggested.bytes as f64 / 1e6);
            Finding::new(CHECK.code, Level::Note, suggested.real.to_string(), says).help(help)
        })
        .collect())
}
