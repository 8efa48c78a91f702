//! A library as entry.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "library-entry",
    scope: Scope::Loading,
    text: "The entry is a shared library or plug-in: it names no loader, so no kernel can start it. Executed as a program it \
           crashes. To look at what it needs is fine (that is what it was resolved for); to start an image, name the program \
           that loads it.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for entry in &evidence.closure.entries {
        let read = evidence.objects.read(&entry.real)?;
        let Ok(elf) = &read.elf else { continue };
        if elf.interp.is_none() && !elf.is_static_program() {
            let says = format!("{} is a library: started as a program it crashes", entry.path);
            found
                .push(evidence.about(&CHECK, Level::Warning, &entry.real, says).help("name the program that loads it"));
        }
    }
    Ok(found)
}
