//! The directory that the guest may write to. Its contents are untrusted: names are looked up relative to the
//! directory's handle, symlinks are not followed, and only regular files are read.

use std::path::Path;

use tempfile::TempDir;

use crate::cleanup::{self, Known};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{DirTree, FileKind, Tree};

/// A fresh directory on the host, removed with this value.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _known: Known,
}

impl Scratch {
    pub(super) fn new() -> std::io::Result<Self> {
        let (folder, known) = cleanup::create_dir(tempfile::tempdir)?;
        Ok(Self { folder, _known: known })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its contents.
    ///
    /// # Errors
    /// `unreadable`.
    pub(super) fn tree(&self) -> Result<DirTree, Error> {
        DirTree::open(self.folder.path())
    }

    /// A subdirectory as a separate tree.
    ///
    /// # Errors
    /// `root-missing` if it is missing or a symlink, `unreadable`.
    pub fn below(&self, path: &str) -> Result<DirTree, Error> {
        self.tree()?.below(&RootPath::root().join(path.as_bytes()))
    }
}

/// Size of a regular file; 0 for anything else.
pub(super) fn size(tree: &DirTree, path: &RootPath) -> u64 {
    let meta = tree.meta(path).ok().flatten().filter(|meta| meta.kind == FileKind::File);
    meta.map_or(0, |meta| meta.size)
}

/// The first bytes of a regular file; empty for anything else.
pub(super) fn read(tree: &DirTree, path: &RootPath, limit: u64) -> Vec<u8> {
    let Ok(source) = tree.open(path) else { return Vec::new() };
    let size = source.meta().size.min(limit);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    let read = source.read_at(0, &mut bytes).unwrap_or_default();
    bytes.truncate(read);
    bytes
}
