//! Files with set-uid or set-gid bits.

use super::entries::Found;
use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::root::{FileKind, Meta};

pub(super) const CHECK: Check = Check {
    code: "set-id",
    scope: Scope::Image,
    text: "A file in the image has a set-uid or set-gid bit. slimroot keeps the bit, because the program may need it. \
           Everybody who can run the file in the container gets the rights of its owner. If the program works without \
           the bit, run chmod a-s on it in the builder stage.",
    find,
};

const SET_ID: u32 = 0o6000;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let is_set_id = |meta: &Meta| meta.kind == FileKind::File && meta.mode & SET_ID != 0;
    let mut found = Found::default();
    for entry in evidence.entries()? {
        let (path, meta) = entry?;
        if is_set_id(&meta) {
            found.push(Level::Note, || {
                let says = format!("{path} keeps its set-uid or set-gid bit");
                Finding::new(CHECK.code, Level::Note, path.to_string(), says)
                    .help(format!("if it works without the bit: chmod a-s {path} in the builder stage"))
            });
        }
    }
    Ok(found.finish(CHECK.code))
}
