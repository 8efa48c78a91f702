//! Temporary outputs, which are removed unless they are moved into place.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::cleanup::{self, Known};
use crate::error::Error;

/// Number of bytes copied between two checks for cancellation.
const COPY: u64 = 8 << 20;

/// Number of retries after another run has swept a temporary file before it was locked.
const SWEPT_RETRIES: usize = 100;

/// A temporary file or directory next to its destination, removed when dropped.
pub(crate) struct Aside {
    path: PathBuf,
    _known: Known,
    /// Locked as long as this run lives, see [`super::swept`].
    lock: Option<fs::File>,
}

impl Aside {
    /// A temporary name next to `near`; nothing is created.
    ///
    /// # Errors
    /// `output-unwritable` if the directory does not exist.
    pub(crate) fn file(near: &Path, what: &str) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let dir = parent(near);
        if !dir.is_dir() {
            return Err(Error::unwritable(&near.display(), io::Error::from(Errno::NOENT)).help(
                match crate::text::shell_word(&dir.to_string_lossy()) {
                    Some(dir) => format!("make the directory first: mkdir -p {dir}"),
                    None => "make the directory first".to_owned(),
                },
            ));
        }
        let name = short(near);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!(".{name}.{}{number}.{what}", own_mark()));
        Ok(Self { _known: Known::new(&path), path, lock: None })
    }

    /// Creates the file.
    ///
    /// # Errors
    /// Any I/O error.
    pub(crate) fn create(&mut self) -> io::Result<fs::File> {
        loop {
            let file = cleanup::create(|| fs::File::create_new(&self.path))?;
            self.lock = Some(file.try_clone()?);
            if self.locked()? {
                return Ok(file);
            }
        }
    }

    /// Locks the created file; false if another run removed it first.
    fn locked(&self) -> io::Result<bool> {
        let Some(lock) = &self.lock else { return Ok(true) };
        // Another run may be about to sweep it. Locking waits for that, and then the check below notices. A file system
        // without locks is never swept.
        while rustix::fs::flock(lock, FlockOperation::LockExclusive) == Err(Errno::INTR) {}
        let (held, there) = (lock.metadata()?, fs::symlink_metadata(&self.path));
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())))
    }

    /// Creates a directory next to `near`, which no other user may enter meanwhile.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn dir(near: &Path) -> Result<Self, Error> {
        let mut aside = Self::file(near, "dir")?;
        let mut once = || -> io::Result<bool> {
            cleanup::create(|| make_private_dir(&aside.path))?;
            aside.lock = Some(fs::File::open(&aside.path)?);
            aside.locked()
        };
        // Another run may remove it before it is locked.
        let mut make = || -> io::Result<()> {
            for _ in 0..SWEPT_RETRIES {
                match once() {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Err(Errno::NOENT.into())
        };
        make().map_err(|error| Error::unwritable(&near.display(), error))?;
        Ok(aside)
    }

    /// Creates a directory inside `dir`, for a destination that cannot be replaced itself.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn inside(dir: &Path) -> Result<Self, Error> {
        Self::dir(&dir.join("rootfs"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Locks the file or directory that is now at the temporary path, if any. The output that was moved into place is
    /// no longer temporary: another destination of this run may lock the layout that it has become. The replaced files
    /// are kept here for a while, and another run must not sweep them.
    fn relock(&mut self) {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        self.lock = fs::File::options().read(true).custom_flags(flags).open(&self.path).ok();
        if let Some(lock) = &self.lock {
            // If locking fails, continue as on a file system without locks.
            let _ = rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive);
        }
    }

    /// Moves it into place atomically, replacing a file or an empty directory.
    ///
    /// # Errors
    /// `output-exists` for a directory that is no longer empty, `output-unwritable`.
    pub(crate) fn place(&mut self, to: &Path) -> Result<(), Error> {
        fs::rename(&self.path, to).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                exists(to)
            }
            _ => Error::unwritable(&to.display(), error),
        })?;
        self.relock();
        Ok(())
    }

    /// Moves a file into place atomically. The replaced file is then at the temporary path; false if there was none, or
    /// if the file system cannot keep it.
    ///
    /// # Errors
    /// As [`Aside::place`].
    pub(crate) fn replace(&mut self, to: &Path) -> Result<bool, Error> {
        if fs::symlink_metadata(to).is_ok_and(|meta| !meta.is_dir()) {
            if rustix::fs::renameat_with(CWD, &self.path, CWD, to, RenameFlags::EXCHANGE).is_ok() {
                self.relock();
                return Ok(true);
            }
            // If names cannot be exchanged, a second name keeps the replaced file.
            let old = Self::file(to, "old")?;
            if fs::hard_link(to, &old.path).is_ok() {
                self.place(to)?;
                *self = old;
                self.relock();
                return Ok(true);
            }
        }
        self.place(to).map(|()| false)
    }

    /// Moves a file into place atomically, without replacing anything.
    ///
    /// # Errors
    /// `output-exists` if another run was faster, `output-unwritable`.
    pub(crate) fn place_new(&self, to: &Path) -> Result<(), Error> {
        let by_link = || fs::hard_link(&self.path, to).and_then(|()| fs::remove_file(&self.path));
        let placed = match rustix::fs::renameat_with(CWD, &self.path, CWD, to, RenameFlags::NOREPLACE) {
            // The file system does not support the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => by_link(),
            other => other.map_err(io::Error::from),
        };
        placed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(to),
            _ => Error::unwritable(&to.display(), error),
        })
    }

    /// Exchanges it with the directory `with`, atomically if the file system can do that. The previous contents are
    /// then the temporary directory.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn exchange(&mut self, with: &Path) -> Result<(), Error> {
        if rustix::fs::renameat_with(CWD, &self.path, CWD, with, RenameFlags::EXCHANGE).is_ok() {
            self.relock();
            return Ok(());
        }
        let old = Self::file(with, "old")?;
        if let Err(error) = move_tree(with, &old.path).and_then(|()| fs::rename(&self.path, with)) {
            let error = Error::unwritable(&with.display(), error).help("this disk cannot replace it; remove it first");
            // Restore the previous contents. If that fails, keep them where they are instead of removing them.
            if old.path.symlink_metadata().is_ok() && move_tree(&old.path, with).is_err() {
                let says = format!("{}; part of what was there is now at {old}", error.says);
                std::mem::forget(old);
                return Err(Error { says, ..error });
            }
            return Err(error);
        }
        *self = old;
        self.relock();
        Ok(())
    }

    /// Removes it now instead of when dropped, so that failures are noticed.
    ///
    /// # Errors
    /// Any I/O error, except if there was nothing to remove.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match remove(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Removing needs a descriptor, and there may be no other.
        self.lock = None;
        // Failures are ignored; the destination itself was not touched.
        let _ = self.remove();
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The name of a destination, shortened so that temporary names next to the longest possible name (255 bytes) are
/// valid.
pub(crate) fn short(destination: &Path) -> String {
    destination.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect()
}

/// The common part of all temporary names of this process.
fn own_mark() -> String {
    format!("slimroot-{}-", std::process::id())
}

/// True if the directory exists and contains only temporary files of this process.
pub(crate) fn is_empty_dir(path: &Path) -> bool {
    let mark = own_mark();
    let is_ours = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with('.') && name.contains(&mark)
        })
    };
    fs::read_dir(path).is_ok_and(|mut entries| entries.all(is_ours))
}

/// Creates a directory that passes nothing on to its contents. Below a set-gid parent, or one with a default ACL, new
/// entries would otherwise get a group and permissions that are not in the plan (inode(7), acl(5)).
fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)?;
    let (uid, gid) = own_ids();
    // If these calls fail, there is nothing to reset.
    let _ = chown(path, Some(uid), Some(gid));
    let _ = rustix::fs::removexattr(path, "system.posix_acl_default");
    let _ = rustix::fs::removexattr(path, "system.posix_acl_access");
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// The owner of files that this process creates.
pub(crate) fn own_ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Moves a tree, or merges it into an existing one. Directories that cannot be renamed (EXDEV for those in a lower
/// layer of overlayfs) are created anew, and their contents are moved.
fn move_tree(from: &Path, to: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    let is_merged = meta.is_dir() && to.is_dir();
    if !is_merged {
        match fs::rename(from, to) {
            Err(error) if meta.is_dir() && error.kind() == io::ErrorKind::CrossesDevices => {}
            other => return other,
        }
        fs::DirBuilder::new().mode(0o700).create(to)?;
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        move_tree(&from.join(&name), &to.join(&name))?;
    }
    if !is_merged {
        chown(to, Some(meta.uid()), Some(meta.gid()))?;
        fs::set_permissions(to, meta.permissions())?;
    }
    fs::remove_dir(from)
}

/// Removes a file or a whole directory; a symlink is removed, never followed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    // The tree may contain directories without write permission for their owner, and be deeper than there are
    // descriptors left. Nobody else may enter it, so names in it stay what they are.
    remove_one_by_one(path)
}

/// Removes a directory with one descriptor at a time.
fn remove_one_by_one(top: &Path) -> io::Result<()> {
    let mut open = vec![top.to_path_buf()];
    while let Some(dir) = open.last().cloned() {
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let mut dirs = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        if dirs.is_empty() {
            fs::remove_dir(&dir)?;
            open.pop();
        }
        open.extend(dirs);
    }
    Ok(())
}

/// Gives a temporary file a permanent name as a hard link, or copies it if that is not possible.
pub(crate) fn give(file: &Path, name: &Path, stop: &dyn Fn() -> bool) -> io::Result<()> {
    // The file may serve further outputs, so it is not moved.
    match cleanup::create(|| fs::hard_link(file, name)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
        Ok(()) => return Ok(()),
    }
    let (mut from, mut to) = (fs::File::open(file)?, cleanup::create(|| fs::File::create_new(name))?);
    while io::copy(&mut io::Read::take(&mut from, COPY), &mut to)? > 0 {
        if stop() {
            return Err(io::Error::other("interrupted"));
        }
    }
    Ok(())
}

/// True if the sticky bit of a directory such as /tmp prevents us from replacing another user's entry (inode(7)). A
/// rename would fail only after other outputs are in place.
pub(crate) fn is_kept_by_sticky(path: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    let (uid, _) = own_ids();
    let (Ok(meta), Ok(dir)) = (fs::symlink_metadata(path), fs::metadata(parent(path))) else { return false };
    uid != 0 && dir.mode() & STICKY != 0 && meta.uid() != uid && dir.uid() != uid
}

/// The parent directory of a path.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The error for an existing destination.
pub(crate) fn exists(path: &Path) -> Error {
    Error::new("output-exists", format!("{} exists", path.display()))
        .help("--force replaces it once the new output is complete")
}
