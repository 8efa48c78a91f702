//! Moving a finished directory into place.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags};

use super::aside::{Aside, exists, is_empty_dir, is_kept_by_sticky, parent};
use crate::error::Error;

/// A directory being written, and its destination.
pub(super) struct DirPlace {
    path: PathBuf,
    aside: Aside,
    way: Way,
    /// True if an empty directory was replaced.
    was_empty: bool,
}

/// Method of moving the directory into place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// With a rename, if the destination is missing or an empty directory.
    Rename,
    /// By exchanging it with the existing directory.
    Exchange,
    /// By moving its entries, if the destination cannot be renamed over (a mount point, or below a parent that we
    /// cannot write to).
    MoveEntries,
}

impl DirPlace {
    /// Creates a temporary directory next to `path`, which must be missing or empty unless `may_replace` is set.
    ///
    /// # Errors
    /// `output-exists`, `output-unwritable`.
    pub(super) fn start(path: &Path, may_replace: bool) -> Result<Self, Error> {
        // A path such as `out/.` has no file name from which to derive a temporary one.
        let path: PathBuf = path.components().collect();
        let (aside, way) = match fs::symlink_metadata(&path) {
            Err(_) => (Aside::dir(&path)?, Way::Rename),
            Ok(meta) if !meta.is_dir() => {
                return Err(exists(&path).help("use a directory that is empty or does not exist"));
            }
            Ok(_) => {
                let is_empty = is_empty_dir(&path);
                if !is_empty && !may_replace {
                    return Err(exists(&path).help(
                        "--force replaces it once the new output is complete; an empty directory needs no --force",
                    ));
                }
                let is_fixed = is_mount_point(&path) || is_kept_by_sticky(&path);
                let beside = if is_fixed { None } else { Aside::dir(&path).ok() };
                match beside {
                    Some(aside) if is_empty => (aside, Way::Rename),
                    Some(aside) => (aside, Way::Exchange),
                    None if is_empty => (Aside::inside(&path)?, Way::MoveEntries),
                    None => {
                        return Err(exists(&path)
                            .help("it is a mount point with files in it, or its parent is not yours: empty it first"));
                    }
                }
            }
        };
        let was_empty = way == Way::Rename && path.is_dir();
        Ok(Self { path, aside, way, was_empty })
    }

    /// Creates a temporary directory inside an existing one, whose contents stay.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(super) fn inside(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_path_buf(), aside: Aside::inside(path)?, way: Way::MoveEntries, was_empty: false })
    }

    /// The directory to fill.
    pub(super) fn aside(&self) -> &Path {
        self.aside.path()
    }

    /// Moves the directory into place. What it replaces is kept until [`DirPlace::settle`].
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(super) fn place(&mut self) -> Result<(), Error> {
        match self.way {
            Way::Rename => self.aside.place(&self.path),
            Way::MoveEntries => move_entries(self.aside.path(), &self.path)
                .map_err(|error| Error::unwritable(&self.path.display(), error)),
            Way::Exchange => self.aside.exchange(&self.path),
        }
    }

    /// Restores what was there.
    ///
    /// # Errors
    /// Any I/O error.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        match self.way {
            Way::Rename => {
                fs::rename(&self.path, self.aside.path())?;
                if self.was_empty { fs::create_dir(&self.path) } else { Ok(()) }
            }
            Way::MoveEntries => move_entries_but(&self.path, self.aside.path(), self.aside.path().file_name()),
            Way::Exchange => self.aside.exchange(&self.path).map_err(|error| io::Error::other(error.to_string())),
        }
    }

    /// Removes what was replaced; returns notes about failures.
    pub(super) fn settle(self) -> Vec<String> {
        match self.way {
            Way::Exchange => match self.aside.remove() {
                Err(error) => {
                    vec![format!("the replaced files could not be removed and are now at {}: {error}", self.aside)]
                }
                Ok(()) => Vec::new(),
            },
            Way::Rename | Way::MoveEntries => Vec::new(),
        }
    }
}

/// Moves all entries or none: after a failure, the moved ones are moved back.
fn move_entries(from: &Path, to: &Path) -> io::Result<()> {
    move_entries_but(from, to, None)
}

/// Also leaves one entry where it is: the temporary directory itself.
fn move_entries_but(from: &Path, to: &Path, stays: Option<&OsStr>) -> io::Result<()> {
    let mut moved = Vec::new();
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if Some(name.as_os_str()) == stays {
            continue;
        }
        if let Err(error) = move_entry(&from.join(&name), &to.join(&name)) {
            for name in moved {
                let _ = move_entry(&to.join(&name), &from.join(&name));
            }
            return Err(error);
        }
        moved.push(name);
    }
    Ok(())
}

/// Renames an entry. Moving a directory requires write permission in it, so its mode is changed temporarily.
fn move_entry(from: &Path, to: &Path) -> io::Result<()> {
    let Err(error) = fs::rename(from, to) else { return Ok(()) };
    let meta = fs::symlink_metadata(from)?;
    if error.kind() != io::ErrorKind::PermissionDenied || !meta.is_dir() {
        return Err(error);
    }
    fs::set_permissions(from, fs::Permissions::from_mode(0o700))?;
    fs::rename(from, to)?;
    fs::set_permissions(to, meta.permissions())
}

/// True for a mount point. Only statx (Linux 5.8) detects a bind mount from the same file system.
pub(super) fn is_mount_point(path: &Path) -> bool {
    // A path without a file name is `.` or `/`.
    if path.file_name().is_none() {
        return true;
    }
    if let Ok(found) = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())
        && found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
    {
        return found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    }
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    device(path) != device(parent(path))
}
