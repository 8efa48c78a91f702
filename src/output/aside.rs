//! What is written aside: it is gone again unless it was moved into place.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;

/// A file or directory beside its destination, removed when dropped.
pub(crate) struct Aside {
    path: PathBuf,
}

impl Aside {
    /// A name for a file beside `near`; nothing is made.
    ///
    /// # Errors
    /// `output-unwritable` if the directory is not there.
    pub(crate) fn file(near: &Path, what: &str) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let dir = parent(near);
        if !dir.is_dir() {
            return Err(Error::unwritable(&near.display(), io::Error::from(io::ErrorKind::NotFound))
                .help(format!("make the directory first: mkdir -p {}", dir.display())));
        }
        let name = near.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { path: dir.join(format!(".{name}.slimroot-{}-{number}.{what}", std::process::id())) })
    }

    /// A fresh directory beside `near`, which nobody else may enter meanwhile.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn dir(near: &Path) -> Result<Self, Error> {
        let aside = Self::file(near, "dir")?;
        aside.make_dir()?;
        Ok(aside)
    }

    /// A fresh directory inside `dir`, for a destination that cannot be replaced itself.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn inside(dir: &Path) -> Result<Self, Error> {
        Self::dir(&dir.join("rootfs"))
    }

    fn make_dir(&self) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().mode(0o700).create(&self.path).map_err(|error| Error::unwritable(self, error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves it to its place in one step, over a file or an empty directory.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn place(self, to: &Path) -> Result<(), Error> {
        fs::rename(&self.path, to).map_err(|error| Error::unwritable(&to.display(), error))
    }

    /// Changes places with what is at its destination, in one step; that is then what gets removed.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn exchange(self, with: &Path) -> Result<(), Error> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, &self.path, CWD, with, RenameFlags::EXCHANGE)
            .map_err(|errno| Error::unwritable(&with.display(), errno))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let is_dir = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_dir());
        // Nothing can be done about what cannot be removed; the destination itself was not touched.
        let _ = if is_dir { fs::remove_dir_all(&self.path) } else { fs::remove_file(&self.path) };
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The directory that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Refuses an existing file unless it may be replaced, and a directory in any case.
///
/// # Errors
/// `output-exists`.
pub(crate) fn refuse_existing_file(path: &Path, force: bool) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Err(Error::new("output-exists", format!("{} is a directory", path.display()))
            .help("name a file for the archive")),
        Ok(_) if !force => Err(exists(path)),
        _ => Ok(()),
    }
}

/// The error for a destination that is there.
pub(crate) fn exists(path: &Path) -> Error {
    Error::new("output-exists", format!("{} exists", path.display()))
        .help("--force replaces it once the new output is complete")
}
