//! The entry is a library.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "library-entry",
    scope: Scope::Loading,
    text: "The entry is a shared library or plug-in. It specifies no loader, so the kernel cannot start it, and it \
           crashes when it is executed as a program. You can inspect its dependencies this way, but to build an image, \
           give the program that loads it.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for entry in &evidence.closure.entries {
        let read = evidence.objects.read(&entry.real)?;
        let Ok(elf) = &read.elf else { continue };
        if elf.interp.is_none() && !elf.is_static_program() {
            let says = format!("{} is a library and crashes if it is started as a program", entry.path);
            found
                .push(evidence.about(&CHECK, Level::Warning, &entry.real, says).help("name the program that loads it"));
        }
    }
    Ok(found)
}
