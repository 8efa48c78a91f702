//! Unpacks an image into a directory, where its program can run.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Tree};

const CHUNK: usize = 1 << 20;

/// Writes a tree into an empty directory. Entries are never created through a symlink, because the parent of each is a
/// directory that this function has created. Owners are kept if this process may set them.
///
/// # Errors
/// `unreadable`, `unwritable`, `disk-full`, `interrupted`.
pub(super) fn unpack(tree: &dyn Tree, dir: &Path, stop: &dyn Fn() -> bool) -> Result<(), Error> {
    let mut may_own = rustix::process::geteuid().is_root();
    let mut open = vec![RootPath::root()];
    let mut made = Vec::new();
    while let Some(parent) = open.pop() {
        for name in tree.list(&parent)? {
            if stop() {
                return Err(Error::new("interrupted", "ended by a signal; no temporary files are left"));
            }
            let path = parent.join(&name);
            let Some(meta) = tree.meta(&path)? else { continue };
            let place = dir.join(OsStr::from_bytes(path.relative()));
            let failed = |error: std::io::Error| Error::unwritable(&place.display(), error);
            match meta.kind {
                FileKind::Dir => {
                    std::fs::create_dir(&place).map_err(failed)?;
                    open.push(path);
                    made.push((place.clone(), meta.mode));
                }
                FileKind::File => copy(tree, &path, &place)?,
                FileKind::Link => symlink(OsStr::from_bytes(&tree.link_text(&path)?), &place).map_err(failed)?,
                FileKind::Other => continue,
            }
            if may_own {
                match std::os::unix::fs::lchown(&place, Some(meta.uid), Some(meta.gid)) {
                    // Root without CAP_CHOWN.
                    Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => may_own = false,
                    other => other.map_err(failed)?,
                }
            }
            if meta.kind == FileKind::File {
                std::fs::set_permissions(&place, PermissionsExt::from_mode(meta.mode)).map_err(failed)?;
            }
        }
    }
    // A directory may be read-only, so set its mode last.
    for (place, mode) in made.iter().rev() {
        let failed = |error| Error::unwritable(&place.display(), error);
        std::fs::set_permissions(place, PermissionsExt::from_mode(*mode)).map_err(failed)?;
    }
    Ok(())
}

fn copy(tree: &dyn Tree, path: &RootPath, place: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::unwritable(&place.display(), error);
    let source = tree.open(path)?;
    let mut file = std::fs::File::create_new(place).map_err(failed)?;
    let (mut offset, mut buffer) = (0, vec![0; CHUNK]);
    loop {
        let read = source.read_at(offset, &mut buffer).map_err(|error| Error::unreadable(path, error))?;
        if read == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..read]).map_err(failed)?;
        offset += read as u64;
    }
}
