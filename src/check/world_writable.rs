//! Files and directories that everybody may write to.

use super::entries::Found;
use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::root::FileKind;

pub(super) const CHECK: Check = Check {
    code: "world-writable",
    scope: Scope::Image,
    text: "Everybody may write to a file or directory of the image, so a compromised program can change files that \
           others run or read. Directories such as /tmp have the sticky bit (mode 1777), so that users can remove only \
           their own files. In the builder stage run chmod o-w on it, or chmod +t on a shared directory. Empty lock files (*.lock) are not \
           reported.",
    find,
};

const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
const EXECUTE: u32 = 0o111;
const LOCK_ENDING: &[u8] = b".lock";

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let is_open = |mode: u32, kind: FileKind| match kind {
        FileKind::Dir => mode & OTHERS_WRITE != 0 && mode & STICKY == 0,
        FileKind::File => mode & OTHERS_WRITE != 0,
        _ => false,
    };
    let mut found = Found::default();
    for entry in evidence.entries()? {
        let (path, meta) = entry?;
        // Tools that lock a directory for all users leave such files, which nobody reads or executes.
        let is_lock = meta.kind == FileKind::File
            && meta.size == 0
            && meta.mode & EXECUTE == 0
            && path.name().ends_with(LOCK_ENDING);
        if is_open(meta.mode, meta.kind) && !is_lock {
            found.push(Level::Warning, || {
                let says = format!("everybody may write to {path} (mode {:04o})", meta.mode);
                let help = if meta.kind == FileKind::Dir {
                    format!("chmod 1777 {path} if it is shared, otherwise chmod o-w {path}")
                } else {
                    format!("chmod o-w {path}")
                };
                Finding::new(CHECK.code, Level::Warning, path.to_string(), says).help(help)
            });
        }
    }
    Ok(found.finish(CHECK.code))
}
