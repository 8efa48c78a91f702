//! What a tree of files can be asked: five questions, each about a *real* path (no link above its last part).
//! Following links is made of them, once for all trees, in [`super::follow`].

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
    /// A symbolic link.
    Link,
    /// A device, socket or pipe, which is never packed.
    Other,
}

/// What `lstat` tells of a directory entry, as far as packing needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The kind of entry.
    pub kind: FileKind,
    /// Permission bits with set-uid, set-gid and sticky: `07777` of the mode.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes, for a regular file.
    pub size: u64,
    /// How many names the inode has.
    pub links: u64,
    /// Device and inode: two names with one identity are one file.
    pub identity: (u64, u64),
    /// Changes whenever content or metadata change: modification and change time in nanoseconds.
    pub stamp: (i128, i128),
}

impl Meta {
    /// Whether everybody may read it.
    pub fn is_for_all(&self) -> bool {
        self.mode & 0o004 != 0
    }
}

/// Name and value of an extended attribute.
pub type Xattr = (Vec<u8>, Vec<u8>);

/// An open regular file, read by ranges so that no untrusted file has to be held or mapped whole.
pub trait Source: Send + Sync {
    /// What `fstat` says of the open file, not of the name.
    fn meta(&self) -> Meta;

    /// Reads into `buffer` from `offset` on; fewer bytes than asked for only at the end of the file.
    ///
    /// # Errors
    /// Whatever reading the file gives.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether the open file still is what [`Source::meta`] says: asked after the last byte was read.
    ///
    /// # Errors
    /// Whatever asking gives.
    fn is_unchanged(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// The descriptor, where the file is one of the disk, for copying inside the kernel.
    fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// A tree of files: a directory of the disk, a tree in memory, or a plan.
///
/// Every path given to it is real. An entry that is not there is `None`; what may not be read is an error,
/// since "may not" in this process says nothing about the container (elf-resolution §8).
pub trait Tree: Send + Sync {
    /// What is at this path, without following a link there.
    ///
    /// # Errors
    /// `unreadable` if the question may not be asked.
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error>;

    /// The text of the link at this path.
    ///
    /// # Errors
    /// `unreadable` if it is no link or may not be read.
    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error>;

    /// The names in the directory at this path, sorted by bytes, without `.` and `..`.
    ///
    /// # Errors
    /// `unreadable` if it is no directory or may not be listed.
    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error>;

    /// Opens the regular file at this path.
    ///
    /// # Errors
    /// `unreadable` if it is not regular or may not be read.
    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error>;

    /// The extended attributes of the file or directory at this path, sorted by name.
    ///
    /// # Errors
    /// `unreadable` if they may not be read.
    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error>;
}

impl fmt::Debug for dyn Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tree")
    }
}
