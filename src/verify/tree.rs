//! An unpacked image as a tree: names and metadata in memory, contents in one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Meta, Source, Tree, Xattr};

/// An entry of an image.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) meta: Meta,
    /// Target of a symlink.
    pub(super) text: Vec<u8>,
    /// Offset of a file in the contents.
    pub(super) start: u64,
    /// Shared by the hard links of a file.
    pub(super) xattrs: Arc<[Xattr]>,
}

/// The files of an image.
pub(super) struct ImageTree {
    entries: BTreeMap<RootPath, Entry>,
    children: BTreeMap<RootPath, Vec<Vec<u8>>>,
    content: Arc<File>,
}

impl ImageTree {
    pub(super) fn new(mut entries: BTreeMap<RootPath, Entry>, content: File) -> Self {
        let mut children: BTreeMap<RootPath, Vec<Vec<u8>>> = BTreeMap::new();
        let mut names: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for (path, entry) in &entries {
            *names.entry(entry.meta.identity).or_default() += 1;
            if let Some(parent) = path.parent() {
                children.entry(parent).or_default().push(path.name().to_vec());
            }
        }
        children.values_mut().for_each(|names| names.sort());
        for entry in entries.values_mut() {
            entry.meta.links = names[&entry.meta.identity];
        }
        Self { entries, children, content: Arc::new(content) }
    }

    fn get(&self, path: &RootPath, kind: FileKind) -> Result<&Entry, Error> {
        self.entries
            .get(path)
            .filter(|entry| entry.meta.kind == kind)
            .ok_or_else(|| Error::unreadable(path, io::Error::from(io::ErrorKind::NotFound)))
    }
}

impl Tree for ImageTree {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        Ok(self.entries.get(path).map(|entry| entry.meta))
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        Ok(self.get(path, FileKind::Link)?.text.clone())
    }

    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        self.get(path, FileKind::Dir)?;
        Ok(self.children.get(path).cloned().unwrap_or_default())
    }

    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        let entry = self.get(path, FileKind::File)?;
        Ok(Box::new(ImageFile { meta: entry.meta, start: entry.start, content: Arc::clone(&self.content) }))
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        Ok(self.entries.get(path).map(|entry| entry.xattrs.to_vec()).unwrap_or_default())
    }
}

struct ImageFile {
    meta: Meta,
    start: u64,
    content: Arc<File>,
}

impl Source for ImageFile {
    fn meta(&self) -> Meta {
        self.meta
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.meta.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let mut read = 0;
        while read < length {
            match self.content.read_at(&mut buffer[read..length], self.start + offset + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(read)
    }
}
