//! An object declares in `.note.dlopen` that it opens a library that does not exist.

use super::{Check, Evidence, Scope};
use crate::elf::Priority;
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "dlopen-missing",
    scope: Scope::Image,
    text: "An object declares in its .note.dlopen that it opens a library at run time, and none of the declared names \
           is found. A library marked as required is an error: the object does not work without it. A recommended \
           library is a note, because programs report its absence themselves. Install the library in the builder \
           stage.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let unopened = evidence.closure.unopened.iter();
    Ok(unopened
        .map(|(object, note)| {
            let level = if note.priority == Priority::Required { Level::Error } else { Level::Note };
            let names = note.sonames.join(" or ");
            let feature = note.feature.as_ref().map_or(String::new(), |feature| format!(" for {feature}"));
            let says = format!("{object} opens {names}{feature}, which the root does not have");
            let mut finding = evidence.about(&CHECK, level, object, says);
            finding.subject = note.sonames.first().cloned().unwrap_or_default();
            finding.help(format!("install the package that contains {names} in the builder stage"))
        })
        .collect())
}
