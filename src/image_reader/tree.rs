//! An image as a tree: names and metadata in memory, contents in a temporary file or in the archive of the image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
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
    /// Offset of a file in the contents, or in the archive.
    pub(super) start: u64,
    /// True if the file stayed in the archive.
    pub(super) is_in_archive: bool,
    /// The number of its layer.
    pub(super) layer: u32,
    /// Shared by the hard links of a file.
    pub(super) xattrs: Arc<[Xattr]>,
}

/// The archive of an image. Its timestamps show if it was changed after its digests were verified.
pub(super) struct Archive {
    file: Arc<File>,
    pub(super) stamp: (u64, u64),
}

impl Archive {
    pub(super) fn new(file: &Arc<File>) -> io::Result<Self> {
        Ok(Self { file: Arc::clone(file), stamp: stamp(file)? })
    }
}

fn stamp(file: &File) -> io::Result<(u64, u64)> {
    let meta = file.metadata()?;
    let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest).cast_unsigned();
    Ok((nanoseconds(meta.mtime(), meta.mtime_nsec()), nanoseconds(meta.ctime(), meta.ctime_nsec())))
}

/// The files of an image.
pub(super) struct ImageTree {
    entries: BTreeMap<RootPath, Entry>,
    children: BTreeMap<RootPath, Vec<Vec<u8>>>,
    content: Arc<File>,
    archive: Option<Archive>,
}

impl ImageTree {
    pub(super) fn new(mut entries: BTreeMap<RootPath, Entry>, content: File, archive: Option<Archive>) -> Self {
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
        Self { entries, children, content: Arc::new(content), archive }
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
        let (mut meta, mut content) = (entry.meta, &self.content);
        if let Some(archive) = self.archive.as_ref().filter(|_| entry.is_in_archive) {
            content = &archive.file;
            meta.stamp = stamp(content).map_err(|error| Error::unreadable(path, error))?;
        }
        let (start, is_in_archive) = (entry.start, entry.is_in_archive);
        Ok(Box::new(ImageFile { meta, start, is_in_archive, content: Arc::clone(content) }))
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        Ok(self.entries.get(path).map(|entry| entry.xattrs.to_vec()).unwrap_or_default())
    }

    fn layer(&self, path: &RootPath) -> u32 {
        self.entries.get(path).map_or(0, |entry| entry.layer)
    }
}

struct ImageFile {
    meta: Meta,
    start: u64,
    is_in_archive: bool,
    content: Arc<File>,
}

impl Source for ImageFile {
    fn is_unchanged(&self) -> io::Result<bool> {
        Ok(!self.is_in_archive || stamp(&self.content)? == self.meta.stamp)
    }

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
