//! What is written aside: it is gone again unless it was moved into place.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, FlockOperation, RenameFlags};
use rustix::io::Errno;

use crate::cleanup::Known;
use crate::error::Error;

/// Bytes copied between two looks at whether to stop.
const COPY: u64 = 8 << 20;

/// How often something is made again that another run has swept away before it was locked.
const SWEPT_RETRIES: usize = 100;

/// A file or directory beside its destination, removed when dropped.
pub(crate) struct Aside {
    path: PathBuf,
    _known: Known,
    /// Locked as long as this run lives: see [`super::swept`].
    lock: Option<fs::File>,
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
            return Err(Error::unwritable(&near.display(), io::Error::from(io::ErrorKind::NotFound)).help(
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

    /// Makes the file.
    ///
    /// # Errors
    /// Whatever making it gives.
    pub(crate) fn create(&mut self) -> io::Result<fs::File> {
        loop {
            let file = fs::File::create_new(&self.path)?;
            self.lock = Some(file.try_clone()?);
            if self.locked()? {
                return Ok(file);
            }
        }
    }

    /// Locks what was made; false if somebody removed it before that.
    fn locked(&self) -> io::Result<bool> {
        let Some(lock) = &self.lock else { return Ok(true) };
        // Another run may be about to sweep it: that is waited for, and then seen. A disk that knows no locks is not swept.
        while rustix::fs::flock(lock, FlockOperation::LockExclusive) == Err(Errno::INTR) {}
        let (held, there) = (lock.metadata()?, fs::symlink_metadata(&self.path));
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())))
    }

    /// A fresh directory beside `near`, which nobody else may enter meanwhile.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn dir(near: &Path) -> Result<Self, Error> {
        let mut aside = Self::file(near, "dir")?;
        let mut once = || -> io::Result<bool> {
            make_private_dir(&aside.path)?;
            aside.lock = Some(fs::File::open(&aside.path)?);
            aside.locked()
        };
        // Until it is locked, another run may sweep it away.
        let mut make = || -> io::Result<()> {
            for _ in 0..SWEPT_RETRIES {
                match once() {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Err(io::ErrorKind::NotFound.into())
        };
        make().map_err(|error| Error::unwritable(&near.display(), error))?;
        Ok(aside)
    }

    /// A fresh directory inside `dir`, for a destination that cannot be replaced itself.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn inside(dir: &Path) -> Result<Self, Error> {
        Self::dir(&dir.join("rootfs"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves it to its place in one step, over a file or an empty directory.
    ///
    /// # Errors
    /// `output-exists` for a directory that is not empty any more, `output-unwritable`.
    pub(crate) fn place(&self, to: &Path) -> Result<(), Error> {
        fs::rename(&self.path, to).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                exists(to)
            }
            _ => Error::unwritable(&to.display(), error),
        })
    }

    /// Moves a file to its place in one step, over nothing.
    ///
    /// # Errors
    /// `output-exists` if another run was there first, `output-unwritable`.
    pub(crate) fn place_new(&self, to: &Path) -> Result<(), Error> {
        let by_link = || fs::hard_link(&self.path, to).and_then(|()| fs::remove_file(&self.path));
        let placed = match rustix::fs::renameat_with(CWD, &self.path, CWD, to, RenameFlags::NOREPLACE) {
            // A disk that does not know the flag.
            Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) => by_link(),
            other => other.map_err(io::Error::from),
        };
        placed.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(to),
            _ => Error::unwritable(&to.display(), error),
        })
    }

    /// Changes places with the directory `with`, in one step where the disk can do that: what was there is then what is
    /// aside.
    ///
    /// # Errors
    /// `output-unwritable`.
    pub(crate) fn exchange(&mut self, with: &Path) -> Result<(), Error> {
        if rustix::fs::renameat_with(CWD, &self.path, CWD, with, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
        let old = Self::file(with, "old")?;
        if let Err(error) = move_tree(with, &old.path).and_then(|()| fs::rename(&self.path, with)) {
            let error = Error::unwritable(&with.display(), error).help("this disk cannot replace it; remove it first");
            // What was there comes back. What cannot come back stays where it is, rather than being removed.
            if old.path.symlink_metadata().is_ok() && move_tree(&old.path, with).is_err() {
                let says = format!("{}; part of what was there is now at {old}", error.says);
                std::mem::forget(old);
                return Err(Error { says, ..error });
            }
            return Err(error);
        }
        *self = old;
        Ok(())
    }

    /// Removes what is aside now, rather than when dropped, to know whether that can be done.
    ///
    /// # Errors
    /// Whatever removing gives, except that there was nothing.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match remove(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Nothing can be done about what cannot be removed; the destination itself was not touched.
        let _ = self.remove();
    }
}

impl fmt::Display for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The name of a destination, shortened, so that beside the longest name that a disk takes (255 bytes) there is still one.
pub(crate) fn short(destination: &Path) -> String {
    destination.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect()
}

/// What the names that this process gives have in common.
fn own_mark() -> String {
    format!("slimroot-{}-", std::process::id())
}

/// Whether a directory is there and holds nothing but what this process wrote aside.
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

/// Makes a directory that hands nothing of its surroundings down: under a set-gid parent, or one with default access
/// lists, everything made below would otherwise get a group and rights that the plan does not know (inode(7), acl(5)).
fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)?;
    let (uid, gid) = own_ids();
    // Where these are refused, there is nothing that could be handed down.
    let _ = chown(path, Some(uid), Some(gid));
    let _ = rustix::fs::removexattr(path, "system.posix_acl_default");
    let _ = rustix::fs::removexattr(path, "system.posix_acl_access");
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// To whom belongs what this process makes.
pub(crate) fn own_ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Moves a tree, or merges it into one that is there. Directories that the disk cannot rename (those of a lower layer of
/// overlayfs say EXDEV) are made anew, and what is in them is moved.
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

/// Removes a file or a whole directory; a link is removed, never followed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    // A tree may hold directories that their own owner may not change.
    open_up(path);
    fs::remove_dir_all(path)
}

fn open_up(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// Gives a file that was written aside a further name, by which it stays; a copy where that cannot be.
pub(crate) fn give(file: &Path, name: &Path, stop: &dyn Fn() -> bool) -> io::Result<()> {
    // The file may serve further outputs, so it is not moved.
    match fs::hard_link(file, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => {}
        Ok(()) => return Ok(()),
    }
    let (mut from, mut to) = (fs::File::open(file)?, fs::File::create_new(name)?);
    while io::copy(&mut io::Read::take(&mut from, COPY), &mut to)? > 0 {
        if stop() {
            return Err(io::Error::other("interrupted"));
        }
    }
    Ok(())
}

/// Whether somebody else's entry is kept from being replaced by the sticky bit of its directory, as in /tmp (inode(7)):
/// a rename would fail, at a time when other outputs are in place already.
pub(crate) fn is_kept_by_sticky(path: &Path) -> bool {
    const STICKY: u32 = 0o1000;
    let (uid, _) = own_ids();
    let (Ok(meta), Ok(dir)) = (fs::symlink_metadata(path), fs::metadata(parent(path))) else { return false };
    uid != 0 && dir.mode() & STICKY != 0 && meta.uid() != uid && dir.uid() != uid
}

/// The directory that a path lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The error for a destination that is there.
pub(crate) fn exists(path: &Path) -> Error {
    Error::new("output-exists", format!("{} exists", path.display()))
        .help("--force replaces it once the new output is complete")
}
