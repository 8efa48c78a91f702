//! An image as a tree: names and metadata in memory, contents where the layers lie or in a temporary file.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use super::in_place::InPlace;
use super::nodes::{Entry, Id, Nodes};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Meta, Source, Tree, Xattr};

/// What entries of an image refer to by number, each once.
pub(super) struct Details {
    owners: Vec<(u32, u32)>,
    known_owners: HashMap<(u32, u32), u32>,
    attributes: Vec<Arc<[Xattr]>>,
    known_attributes: HashMap<Arc<[Xattr]>, u32>,
    /// Targets of symlinks, one after another.
    texts: Vec<u8>,
    /// Inodes that have had several names, with the number of those that are left.
    shared: HashMap<u32, u32>,
    /// Bytes of attributes.
    memory: usize,
}

/// Memory of an owner, of a set of attributes, of an attribute, and of an inode with several names, besides the bytes.
const OWNER_MEMORY: usize = 40;
const SET_MEMORY: usize = 96;
const ATTRIBUTE_MEMORY: usize = 80;
const SHARED_MEMORY: usize = 20;

impl Default for Details {
    /// Number 0 is root, and no attributes.
    fn default() -> Self {
        let none: Arc<[Xattr]> = Arc::new([]);
        Self {
            owners: vec![(0, 0)],
            known_owners: HashMap::from([((0, 0), 0)]),
            attributes: vec![Arc::clone(&none)],
            known_attributes: HashMap::from([(none, 0)]),
            texts: Vec::new(),
            shared: HashMap::new(),
            memory: 0,
        }
    }
}

impl Details {
    pub(super) fn memory(&self) -> usize {
        let known = self.owners.len() * OWNER_MEMORY + self.shared.len() * SHARED_MEMORY;
        known + self.texts.len() + self.memory
    }

    pub(super) fn owner(&mut self, owner: (u32, u32)) -> u32 {
        *self.known_owners.entry(owner).or_insert_with(|| {
            self.owners.push(owner);
            (self.owners.len() - 1) as u32
        })
    }

    pub(super) fn attributes(&mut self, attributes: &Arc<[Xattr]>) -> u32 {
        if attributes.is_empty() {
            return 0;
        }
        *self.known_attributes.entry(Arc::clone(attributes)).or_insert_with(|| {
            let bytes = |(name, value): &Xattr| name.len() + value.len() + ATTRIBUTE_MEMORY;
            self.memory += attributes.iter().map(bytes).sum::<usize>() + SET_MEMORY;
            self.attributes.push(Arc::clone(attributes));
            (self.attributes.len() - 1) as u32
        })
    }

    /// Keeps the target of a symlink; returns its offset and length.
    pub(super) fn text(&mut self, text: &[u8]) -> (u64, u64) {
        let start = self.texts.len() as u64;
        self.texts.extend_from_slice(text);
        (start, text.len() as u64)
    }

    /// Notes that an inode has another name.
    pub(super) fn share(&mut self, inode: u32) {
        self.shared.insert(inode, 0);
    }
}

pub(super) fn stamp(file: &File) -> io::Result<(u64, u64)> {
    let meta = file.metadata()?;
    let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest).cast_unsigned();
    Ok((nanoseconds(meta.mtime(), meta.mtime_nsec()), nanoseconds(meta.ctime(), meta.ctime_nsec())))
}

/// The files of an image.
pub(super) struct ImageTree {
    nodes: Nodes,
    details: Details,
    content: Arc<File>,
    in_place: Arc<InPlace>,
}

impl ImageTree {
    pub(super) fn new(nodes: Nodes, mut details: Details, content: Arc<File>, in_place: InPlace) -> Self {
        for entry in nodes.entries() {
            if let Some(names) = details.shared.get_mut(&entry.inode) {
                *names += 1;
            }
        }
        Self { nodes, details, content, in_place: Arc::new(in_place) }
    }

    fn get(&self, path: &RootPath, kind: FileKind) -> Result<Id, Error> {
        self.nodes
            .find(path)
            .filter(|id| self.nodes.entry(*id).kind() == kind)
            .ok_or_else(|| Error::unreadable(path, io::Error::from(io::ErrorKind::NotFound)))
    }

    fn known(&self, entry: &Entry) -> Meta {
        let kind = entry.kind();
        let (uid, gid) = self.details.owners.get(entry.owner as usize).copied().unwrap_or_default();
        let stamp = if entry.is_in_place() { self.in_place.verified_stamp(entry.start) } else { (0, 0) };
        Meta {
            kind,
            mode: entry.mode(),
            uid,
            gid,
            size: if kind == FileKind::File { entry.size } else { 0 },
            links: self.details.shared.get(&entry.inode).map_or(1, |names| u64::from(*names)),
            identity: (0, u64::from(entry.inode)),
            stamp,
        }
    }
}

impl Tree for ImageTree {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        Ok(self.nodes.find(path).map(|id| self.known(self.nodes.entry(id))))
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        let entry = self.nodes.entry(self.get(path, FileKind::Link)?);
        let start = usize::try_from(entry.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(entry.size).unwrap_or(usize::MAX));
        Ok(self.details.texts.get(start..end).unwrap_or_default().to_vec())
    }

    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self.nodes.names(self.get(path, FileKind::Dir)?))
    }

    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        let entry = self.nodes.entry(self.get(path, FileKind::File)?);
        let mut meta = self.known(entry);
        let content = match entry.is_in_place() {
            true => Content::InPlace(Arc::clone(&self.in_place)),
            false => Content::Unpacked(Arc::clone(&self.content)),
        };
        if let Content::InPlace(layers) = &content {
            meta.stamp = layers.stamp(entry.start).map_err(|error| Error::unreadable(path, error))?;
        }
        Ok(Box::new(ImageFile { meta, start: entry.start, content }))
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        let number = self.nodes.find(path).map_or(0, |id| self.nodes.entry(id).attributes);
        Ok(self.details.attributes.get(number as usize).map(|all| all.to_vec()).unwrap_or_default())
    }

    fn layer(&self, path: &RootPath) -> u32 {
        self.nodes.find(path).map_or(0, |id| u32::from(self.nodes.entry(id).layer))
    }
}

enum Content {
    InPlace(Arc<InPlace>),
    Unpacked(Arc<File>),
}

struct ImageFile {
    meta: Meta,
    start: u64,
    content: Content,
}

impl Source for ImageFile {
    fn is_unchanged(&self) -> io::Result<bool> {
        match &self.content {
            Content::InPlace(layers) => Ok(layers.stamp(self.start)? == self.meta.stamp),
            Content::Unpacked(_) => Ok(true),
        }
    }

    fn meta(&self) -> Meta {
        self.meta
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.meta.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let file = match &self.content {
            Content::InPlace(_) if length == 0 => return Ok(0),
            Content::InPlace(layers) => return layers.read_at(self.start + offset, &mut buffer[..length]),
            Content::Unpacked(file) => file,
        };
        let mut read = 0;
        while read < length {
            match file.read_at(&mut buffer[read..length], self.start + offset + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(read)
    }
}
