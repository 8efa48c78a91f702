//! The interface of a file tree: five queries, each about a *real* path (no symlink before its last component).
//! [`super::follow`] implements following symlinks on top of them, for all trees.

use std::fmt;
use std::io;

use crate::error::Error;
use crate::path::RootPath;

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symlink.
    Link,
    /// A device, socket or pipe, which is never packed.
    Other,
}

/// The part of `lstat`'s result that packing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The kind.
    pub kind: FileKind,
    /// Permission bits including set-uid, set-gid and sticky: `07777` of the mode.
    pub mode: u32,
    /// Owner's user ID.
    pub uid: u32,
    /// Group ID.
    pub gid: u32,
    /// Size of a regular file.
    pub size: u64,
    /// Number of hard links.
    pub links: u64,
    /// Device and inode: names with the same identity are the same file.
    pub identity: (u64, u64),
    /// Modification and change time in nanoseconds, which change with contents or metadata. Only compared: times before
    /// 1970 and after 2554 wrap around.
    pub stamp: (u64, u64),
}

impl Meta {
    /// True if all users may read it.
    pub fn is_for_all(&self) -> bool {
        self.mode & 0o004 != 0
    }
}

/// Name and value of an extended attribute.
pub type Xattr = (Vec<u8>, Vec<u8>);

/// An open regular file, read in ranges so that no untrusted file must be loaded or mapped completely.
pub trait Source: Send + Sync {
    /// The metadata of the open file (`fstat`), not of its path.
    fn meta(&self) -> Meta;

    /// Reads from `offset` into `buffer`; returns fewer bytes than requested only at the end of the file.
    ///
    /// # Errors
    /// Any I/O error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// True if the open file still matches [`Source::meta`]; called after the last byte was read.
    ///
    /// # Errors
    /// Any I/O error.
    fn is_unchanged(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// The descriptor of a file on the host, for copying inside the kernel.
    fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// A tree of files: a directory of the host, a tree in memory, or a plan.
///
/// Every path passed to it is real. A missing entry is `None`. Lack of permission is an error, because it would say
/// nothing about access inside the container.
pub trait Tree: Send + Sync {
    /// The metadata of the entry at this path; a symlink is not followed.
    ///
    /// # Errors
    /// `unreadable` if the metadata cannot be read.
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error>;

    /// The target of the symlink at this path.
    ///
    /// # Errors
    /// `unreadable` if it is not a symlink or cannot be read.
    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error>;

    /// The names in the directory at this path, sorted by bytes, without `.` and `..`.
    ///
    /// # Errors
    /// `unreadable` if it is not a directory or cannot be listed.
    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error>;

    /// Opens the regular file at this path.
    ///
    /// # Errors
    /// `unreadable` if it is not a regular file or cannot be read.
    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error>;

    /// True if metadata is in memory, so that a cache is useless.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// True if [`Tree::paths`] returns them.
    fn has_paths(&self) -> bool {
        false
    }

    /// All paths in order, for trees that have a list of them; `None` for others.
    fn paths(&self) -> Option<Vec<RootPath>> {
        None
    }

    /// The extended attributes of the file or directory at this path, sorted by name.
    ///
    /// # Errors
    /// `unreadable` if they cannot be read.
    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error>;

    /// The number of the layer from which the entry at this path comes, in an image; the lowest is 0.
    fn layer(&self, _path: &RootPath) -> u32 {
        0
    }
}

impl fmt::Debug for dyn Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tree")
    }
}
