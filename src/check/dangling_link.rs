//! Links among the files asked for that lead nowhere.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "dangling-link",
    scope: Scope::Image,
    text: "A symbolic link among the files that a pattern or profile takes leads nowhere in the root. It is packed as it \
           is. If its target is made at run time (a socket, a mounted volume) all is well; if the target was left in \
           another stage, copy it into this one.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let dangling = evidence.closure.dangling.iter();
    Ok(dangling
        .map(|path| {
            Finding::new(
                CHECK.code,
                Level::Note,
                path.to_string(),
                format!("the link {path} leads nowhere in the root"),
            )
        })
        .collect())
}
