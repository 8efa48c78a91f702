//! ELF files for other machines among the files that patterns add.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "foreign-elf",
    scope: Scope::Image,
    text: "A pattern added files that are built for another machine than the entry, such as prebuilt add-ons for all \
           platforms in one package. They are packed without their dependencies. Use --exclude to leave them out.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let foreign = evidence.closure.foreign.iter();
    Ok(foreign
        .map(|path| {
            let says =
                format!("{path} is built for another machine than the entry: it is packed without its dependencies");
            Finding::new(CHECK.code, Level::Note, path.to_string(), says)
                .help(format!("--exclude '{path}' leaves it out"))
        })
        .collect())
}
