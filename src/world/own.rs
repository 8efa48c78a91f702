//! The file of the running program. A build context often contains slimroot itself, and no image needs it.

use std::fs::File;
use std::os::unix::fs::FileExt;
#[cfg(feature = "cli")]
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};

const CHUNK: usize = 1 << 20;

struct Own {
    file: File,
    size: u64,
}

static OWN: OnceLock<Option<Own>> = OnceLock::new();

/// Opens the file of this process, to recognise it later when opening it may be forbidden. Callers of the library do
/// not do this.
#[cfg(feature = "cli")]
pub(crate) fn remember() {
    OWN.get_or_init(|| {
        let file = File::open("/proc/self/exe").ok()?;
        let size = file.metadata().ok()?.size();
        Some(Own { file, size })
    });
}

/// True if the file at a real path has the bytes of the remembered program.
///
/// # Errors
/// `unreadable`.
pub(crate) fn is_own(root: &Root, path: &RootPath) -> Result<bool, Error> {
    let Some(own) = OWN.get().and_then(Option::as_ref) else { return Ok(false) };
    if root.meta(path)?.is_none_or(|meta| meta.kind != FileKind::File || meta.size != own.size) {
        return Ok(false);
    }
    let theirs = root.open_file(path)?;
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut at = 0;
    while at < own.size {
        let read = theirs.read_at(at, &mut left).map_err(|error| Error::unreadable(path, error))?;
        let part = &mut right[..read];
        if read == 0 || own.file.read_exact_at(part, at).is_err() || *part != left[..read] {
            return Ok(false);
        }
        at += read as u64;
    }
    Ok(true)
}
