//! A tree backed by a directory of the host. Only this file converts a [`RootPath`] into a path that the kernel sees.
//!
//! Each directory is opened once: with openat2 and RESOLVE_IN_ROOT if the kernel has it, otherwise component by
//! component with O_NOFOLLOW. Its entries are then accessed by single names relative to that handle. Thus nothing
//! outside of the root is ever touched, even if a directory is concurrently replaced by a symlink.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat};
use rustix::io::Errno;

use super::tree::{FileKind, Meta, Source, Tree, Xattr};
use crate::error::Error;
use crate::path::RootPath;

/// Maximum number of cached directory handles. Searches access the same few directories repeatedly; 64 is far below the
/// usual limit of 1024 descriptors.
const KEPT_DIRS: usize = 64;

/// Size of the buffer for directory entries, in bytes; most directories need one call.
const ENTRIES: usize = 16 << 10;

/// Number of retries when a rename raced with an open (openat2 returns EAGAIN).
const RACE_RETRIES: usize = 16;

/// Maximum file size, and maximum size of a file that consists almost entirely of holes.
const MAX_FILE: u64 = 64 << 30;
const MAX_HOLE: u64 = 4 << 30;

const OPEN_DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const OPEN_FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A directory of the host that serves as the `/` of a tree.
pub struct DirTree {
    path: PathBuf,
    handle: OwnedFd,
    /// The owner and group of the top directory, if we do not run as root. Their files count as root's, so that a root
    /// unpacked by an ordinary user gives the same result as one unpacked by root. When running as root, owners are
    /// taken literally.
    unpacked_by: Option<(u32, u32)>,
    openat2: AtomicBool,
    dirs: Mutex<HashMap<RootPath, Arc<OwnedFd>>>,
}

impl DirTree {
    /// Opens a directory as a root.
    ///
    /// # Errors
    /// `root-missing` if it does not exist or is not a directory, `unreadable` if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let handle = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| {
            let error = match errno {
                Errno::NOENT | Errno::NOTDIR => {
                    Error::new("root-missing", format!("the root {} is not a directory", path.display()))
                        .help("name the directory that contains the root's /usr and /etc")
                }
                _ => Error::unreadable(&path.display(), errno),
            };
            error.because(errno)
        })?;
        let stat = rustix::fs::fstat(&handle).map_err(|errno| Error::unreadable(&path.display(), errno))?;
        Ok(Self {
            path: path.to_path_buf(),
            unpacked_by: (!rustix::process::geteuid().is_root()).then_some((stat.st_uid, stat.st_gid)),
            handle,
            openat2: AtomicBool::new(true),
            dirs: Mutex::new(HashMap::new()),
        })
    }

    /// Opens a root without openat2, as on kernels and under seccomp filters that lack it.
    ///
    /// # Errors
    /// As [`DirTree::open`].
    pub fn open_by_hand(path: &Path) -> Result<Self, Error> {
        let tree = Self::open(path)?;
        tree.openat2.store(false, Ordering::Relaxed);
        Ok(tree)
    }

    /// A subdirectory of this tree as a separate tree. No component of its path may be a symlink.
    ///
    /// # Errors
    /// `root-missing` if it does not exist, is a symlink or is not a directory; `unreadable`.
    pub fn below(&self, path: &RootPath) -> Result<Self, Error> {
        let place = self.path.join(OsStr::from_bytes(path.relative()));
        let unreadable = |errno| Error::unreadable(&place.display(), errno);
        let handle = self.open_dir(path).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => {
                Error::new("root-missing", format!("{} is not a directory", place.display())).because(errno)
            }
            _ => unreadable(errno),
        })?;
        let stat = rustix::fs::fstat(&handle).map_err(unreadable)?;
        Ok(Self {
            unpacked_by: self.unpacked_by.map(|_| (stat.st_uid, stat.st_gid)),
            openat2: AtomicBool::new(self.openat2.load(Ordering::Relaxed)),
            dirs: Mutex::new(HashMap::new()),
            path: place,
            handle,
        })
    }

    fn dir(&self, path: &RootPath) -> Result<Arc<OwnedFd>, Errno> {
        let mut dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = dirs.get(path) {
            return Ok(Arc::clone(known));
        }
        let opened = Arc::new(self.open_dir(path)?);
        if dirs.len() >= KEPT_DIRS {
            dirs.clear();
        }
        dirs.insert(path.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    fn open_dir(&self, path: &RootPath) -> Result<OwnedFd, Errno> {
        let relative = if path.is_root() { &b"."[..] } else { path.relative() };
        if self.openat2.load(Ordering::Relaxed) {
            let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            for _ in 0..RACE_RETRIES {
                let name = OsStr::from_bytes(relative);
                match rustix::fs::openat2(&self.handle, name, OPEN_DIR, Mode::empty(), inside) {
                    Err(Errno::AGAIN) => {}
                    // Seccomp filters of containers that do not know the call return EPERM.
                    Err(Errno::NOSYS | Errno::PERM) => {
                        self.openat2.store(false, Ordering::Relaxed);
                        break;
                    }
                    other => return other,
                }
            }
        }
        let mut dir = rustix::fs::openat(&self.handle, ".", OPEN_DIR, Mode::empty())?;
        for part in path.relative().split(|b| *b == b'/').filter(|part| !part.is_empty()) {
            dir = rustix::fs::openat(&dir, OsStr::from_bytes(part), OPEN_DIR, Mode::empty())?;
        }
        Ok(dir)
    }

    /// The handle of the directory that contains `path`, and the file name.
    fn place<'a>(&self, path: &'a RootPath) -> Result<(Arc<OwnedFd>, &'a OsStr), Errno> {
        match path.parent() {
            Some(parent) => Ok((self.dir(&parent)?, OsStr::from_bytes(path.name()))),
            None => Ok((self.dir(path)?, OsStr::new("."))),
        }
    }

    fn open_at(&self, path: &RootPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let (dir, name) = self.place(path)?;
        rustix::fs::openat(&*dir, name, flags, Mode::empty())
    }

    #[allow(clippy::useless_conversion, reason = "st_nlink is narrower on some machines")]
    fn meta_of(&self, stat: &Stat) -> Meta {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Dir,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        Meta {
            kind,
            mode: stat.st_mode & 0o7777,
            uid: if self.counts_as_roots(stat, false) { 0 } else { stat.st_uid },
            gid: if self.counts_as_roots(stat, true) { 0 } else { stat.st_gid },
            size: if kind == FileKind::File { stat.st_size.cast_unsigned() } else { 0 },
            links: stat.st_nlink.into(),
            identity: (stat.st_dev, stat.st_ino),
            stamp: stamp_of(stat),
        }
    }

    /// True if the owner or group of a file counts as root. A set-id bit grants the rights of the owner, so such a file
    /// counts only if it belongs to the caller.
    fn counts_as_roots(&self, stat: &Stat, is_group: bool) -> bool {
        let Some((uid, gid)) = self.unpacked_by else { return false };
        let (is_top_owners, has_bit) = match is_group {
            false => (stat.st_uid == uid, stat.st_mode & 0o4000 != 0),
            true => (stat.st_gid == gid, stat.st_mode & 0o2000 != 0),
        };
        is_top_owners && (!has_bit || stat.st_uid == rustix::process::geteuid().as_raw())
    }

    /// Total size of all regular files, counting hard links once and without crossing into other file systems; `None`
    /// if `stop` returned true.
    pub fn measure(&self, stop: &dyn Fn() -> bool) -> Option<u64> {
        let top = rustix::fs::fstat(&self.handle).ok()?;
        let mut seen = std::collections::HashSet::new();
        let mut bytes = 0;
        let mut open = vec![self.path.clone()];
        let mut buffer = vec![MaybeUninit::uninit(); ENTRIES];
        while let Some(path) = open.pop() {
            let flags = OPEN_FILE | OFlags::DIRECTORY;
            // The top itself may be a symlink.
            let flags = if path == self.path { flags.difference(OFlags::NOFOLLOW) } else { flags };
            let Ok(dir) = rustix::fs::openat(CWD, &path, flags, Mode::empty()) else { continue };
            if path != self.path && !rustix::fs::fstat(&dir).is_ok_and(|stat| stat.st_dev == top.st_dev) {
                continue;
            }
            let mut entries = RawDir::new(&dir, &mut buffer);
            while let Some(Ok(entry)) = entries.next() {
                if stop() {
                    return None;
                }
                let name = entry.file_name();
                let is_dots = matches!(name.to_bytes(), b"." | b"..");
                let kind = entry.file_type();
                if is_dots || !matches!(kind, FileType::Directory | FileType::RegularFile | FileType::Unknown) {
                    continue;
                }
                let below = || path.join(OsStr::from_bytes(name.to_bytes()));
                if kind == FileType::Directory {
                    open.push(below());
                    continue;
                }
                let Ok(stat) = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => open.push(below()),
                    FileType::RegularFile if stat.st_nlink == 1 || seen.insert((stat.st_dev, stat.st_ino)) => {
                        bytes += u64::try_from(stat.st_size).unwrap_or(0);
                    }
                    _ => {}
                }
            }
        }
        Some(bytes)
    }
}

impl DirTree {
    fn read_link(&self, path: &RootPath) -> Result<Vec<u8>, Errno> {
        let (dir, name) = self.place(path)?;
        Ok(rustix::fs::readlinkat(&*dir, name, Vec::new())?.into_bytes())
    }

    /// True for a link of another process that the kernel does not let this one read.
    fn is_refused_link(&self, path: &RootPath) -> bool {
        is_of_proc(path) && self.read_link(path).is_err_and(|errno| is_refused(path, errno))
    }
}

fn is_of_proc(path: &RootPath) -> bool {
    path.as_bytes().starts_with(b"/proc/")
}

/// True if the kernel refuses an entry of another process, or the process has ended (proc(5)). Such entries count as
/// absent: if the root is the running system, programs and scripts name paths such as /proc/1/fd/1.
fn is_refused(path: &RootPath, errno: Errno) -> bool {
    is_of_proc(path) && matches!(errno, Errno::ACCESS | Errno::PERM | Errno::SRCH)
}

impl Tree for DirTree {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        let stat = self.place(path).and_then(|(dir, name)| rustix::fs::statat(&*dir, name, AtFlags::SYMLINK_NOFOLLOW));
        match stat {
            // Overlay file systems mark a deleted file as a character device 0:0.
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0 => {
                Ok(None)
            }
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink && self.is_refused_link(path) => {
                Ok(None)
            }
            Ok(stat) => Ok(Some(self.meta_of(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
            Err(errno) if is_refused(path, errno) => Ok(None),
            Err(errno) => Err(Error::unreadable(path, errno)),
        }
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        self.read_link(path).map_err(|errno| Error::unreadable(path, errno))
    }

    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        let read = || -> Result<Vec<Vec<u8>>, Errno> {
            let handle = self.open_at(path, OPEN_FILE | OFlags::DIRECTORY)?;
            let mut names = Vec::new();
            let mut buffer = [MaybeUninit::uninit(); ENTRIES];
            let mut entries = RawDir::new(&handle, &mut buffer);
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(name.to_vec());
                }
            }
            names.sort();
            Ok(names)
        };
        read().map_err(|errno| Error::unreadable(path, errno))
    }

    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        let handle = self.open_at(path, OPEN_FILE).map_err(|errno| Error::unreadable(path, errno))?;
        let stat = rustix::fs::fstat(&handle).map_err(|errno| Error::unreadable(path, errno))?;
        let meta = self.meta_of(&stat);
        if meta.kind != FileKind::File {
            return Err(Error::unreadable(path, io::Error::other("not a regular file")));
        }
        refuse_holes(path, &stat)?;
        Ok(Box::new(OpenFile { handle, meta, stamp: stamp_of(&stat) }))
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        let handle = match self.open_at(path, OPEN_FILE) {
            Ok(handle) => handle,
            Err(errno) => return Err(Error::unreadable(path, errno)),
        };
        read_xattrs(handle.as_fd()).map_err(|errno| Error::unreadable(path, errno))
    }
}

/// Reads all extended attributes of an open file, sorted by name.
fn read_xattrs(handle: BorrowedFd<'_>) -> Result<Vec<Xattr>, Errno> {
    let mut found = Vec::new();
    // The first call, without a buffer, returns the size: nearly all files have no attributes.
    let size = match rustix::fs::flistxattr(handle, &mut [0_u8; 0][..]) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(found),
        other => other?,
    };
    let mut names = vec![0; size];
    let size = rustix::fs::flistxattr(handle, &mut names[..])?;
    for name in names[..size].split(|b| *b == 0).filter(|name| !name.is_empty()) {
        let size = rustix::fs::fgetxattr(handle, OsStr::from_bytes(name), &mut [0_u8; 0][..])?;
        let mut value = vec![0; size];
        let size = rustix::fs::fgetxattr(handle, OsStr::from_bytes(name), &mut value[..])?;
        value.truncate(size);
        found.push((name.to_vec(), value));
    }
    found.sort();
    Ok(found)
}

/// Refuses a sparse file that would take too long to read: holes need no space and are read as zeros.
fn refuse_holes(path: &RootPath, stat: &Stat) -> Result<(), Error> {
    let (size, stored) = (stat.st_size.cast_unsigned(), stat.st_blocks.cast_unsigned().saturating_mul(512));
    if size <= MAX_HOLE || size <= MAX_FILE && stored >= size / 100 {
        return Ok(());
    }
    let says = format!("{path} has {size} bytes, of which only {stored} are stored on disk: it is not read");
    Err(Error::new("file-too-large", says).help("exclude it, or shorten it to the size of its contents"))
}

struct OpenFile {
    handle: OwnedFd,
    meta: Meta,
    stamp: (u64, u64),
}

/// Modification and change time in nanoseconds.
fn stamp_of(stat: &Stat) -> (u64, u64) {
    let nanoseconds =
        |seconds: i64, nanos: u64| seconds.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(nanos);
    (nanoseconds(stat.st_mtime, stat.st_mtime_nsec), nanoseconds(stat.st_ctime, stat.st_ctime_nsec))
}

impl Source for OpenFile {
    fn meta(&self) -> Meta {
        self.meta
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::pread(&self.handle, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(filled)
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        let stat = rustix::fs::fstat(&self.handle)?;
        let same_size = stat.st_size.cast_unsigned() == self.meta.size;
        Ok(same_size && (stat.st_dev, stat.st_ino) == self.meta.identity && stamp_of(&stat) == self.stamp)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.handle.as_fd())
    }
}
