//! The image has no writable /tmp.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "tmp-missing",
    scope: Scope::Image,
    text: "The image has no /tmp, or its user may not write to it. Programs fail late: an upload, a sort of a large \
           file or a compiled template fails with \"no such file or directory\". The base profile creates /tmp. In \
           other images create it, or mount one: docker run --tmpfs /tmp.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let followed = evidence.image.follow(b"/tmp")?;
    let says = match followed.dir().cloned() {
        None => "the image has no /tmp".to_owned(),
        Some(dir) => match (evidence.image.meta(&dir)?, evidence.identity()?) {
            (Some(meta), Some(user)) if !user.may(&meta, 0o3) => {
                format!(
                    "the image's user {} cannot write to /tmp (mode {:04o}, owner {})",
                    evidence.run.user, meta.mode, meta.uid
                )
            }
            _ => return Ok(Vec::new()),
        },
    };
    let help = if evidence.is_finished {
        "use docker run --tmpfs /tmp, or build the image with slimroot's base profile"
    } else {
        "remove --no-profile base: that profile creates /tmp"
    };
    Ok(vec![Finding::new(CHECK.code, Level::Warning, "/tmp", says).help(help)])
}
