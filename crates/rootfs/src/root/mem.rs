//! A tree in memory, for tests and examples, and for generated trees.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::tree::{FileKind, Meta, Source, Tree, Xattr};
use crate::error::Error;
use crate::path::RootPath;

/// A tree in memory.
#[derive(Clone, Debug)]
pub struct MemTree {
    entries: BTreeMap<RootPath, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    meta: Meta,
    /// The contents of a file or the target of a symlink.
    bytes: Arc<[u8]>,
}

impl Default for MemTree {
    fn default() -> Self {
        let mut tree = Self { entries: BTreeMap::new() };
        tree.put(RootPath::root(), FileKind::Dir, 0o755, Vec::new());
        tree
    }
}

impl MemTree {
    /// Adds a file and its parent directories.
    pub fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.add(path, FileKind::File, mode, bytes.into())
    }

    /// Adds a symlink and its parent directories.
    pub fn link(&mut self, path: &str, text: &str) -> &mut Self {
        self.add(path, FileKind::Link, 0o777, text.into())
    }

    /// Adds a directory and its parent directories.
    pub fn dir(&mut self, path: &str, mode: u32) -> &mut Self {
        self.add(path, FileKind::Dir, mode, Vec::new())
    }

    fn add(&mut self, path: &str, kind: FileKind, mode: u32, bytes: Vec<u8>) -> &mut Self {
        let path = RootPath::new(path).expect("an absolute, clean path");
        for above in path.ancestors() {
            if !self.entries.contains_key(&above) {
                self.put(above, FileKind::Dir, 0o755, Vec::new());
            }
        }
        self.put(path, kind, mode, bytes);
        self
    }

    fn put(&mut self, path: RootPath, kind: FileKind, mode: u32, bytes: Vec<u8>) {
        let inode = self.entries.len() as u64 + 1;
        let size = if kind == FileKind::File { bytes.len() as u64 } else { 0 };
        let meta = Meta { kind, mode, uid: 0, gid: 0, size, links: 1, identity: (0, inode), stamp: (0, 0) };
        self.entries.insert(path, Entry { meta, bytes: bytes.into() });
    }

    fn get(&self, path: &RootPath, kind: FileKind) -> Result<&Entry, Error> {
        self.entries
            .get(path)
            .filter(|entry| entry.meta.kind == kind)
            .ok_or_else(|| Error::unreadable(path, io::Error::from(io::ErrorKind::NotFound)))
    }
}

impl Tree for MemTree {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        Ok(self.entries.get(path).map(|entry| entry.meta))
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        Ok(self.get(path, FileKind::Link)?.bytes.to_vec())
    }

    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        self.get(path, FileKind::Dir)?;
        let below = self.entries.range(path.clone()..).skip(1).take_while(|(other, _)| other.is_within(path));
        let children = below.filter(|(other, _)| other.parent().as_ref() == Some(path));
        Ok(children.map(|(child, _)| child.name().to_vec()).collect())
    }

    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        let entry = self.get(path, FileKind::File)?;
        Ok(Box::new(MemSource { meta: entry.meta, bytes: Arc::clone(&entry.bytes) }))
    }

    fn xattrs(&self, _: &RootPath) -> Result<Vec<Xattr>, Error> {
        Ok(Vec::new())
    }
}

/// Bytes in memory that are read like a file.
pub struct MemSource {
    meta: Meta,
    bytes: Arc<[u8]>,
}

impl MemSource {
    /// A file with these contents.
    pub fn new(meta: Meta, bytes: Arc<[u8]>) -> Self {
        Self { meta, bytes }
    }
}

impl Source for MemSource {
    fn meta(&self) -> Meta {
        self.meta
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let length = buffer.len().min(self.bytes.len() - from);
        buffer[..length].copy_from_slice(&self.bytes[from..from + length]);
        Ok(length)
    }
}
