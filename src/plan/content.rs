//! Reads the contents of planned files: verifies that a file is unchanged, and strips it if planned.

use std::io;
use std::sync::Arc;

use super::Content;
use crate::elf::Stripped;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, MemSource, Meta, Source, Tree};

impl Content {
    /// Opens the content for reading.
    ///
    /// # Errors
    /// `changed-while-packing` if a file of the root has changed since it was planned, `unreadable`.
    pub fn open(&self, tree: &dyn Tree) -> Result<Box<dyn Source>, Error> {
        match self {
            Self::Made(bytes) => {
                let size = bytes.len() as u64;
                let meta = Meta {
                    kind: FileKind::File,
                    mode: 0,
                    uid: 0,
                    gid: 0,
                    size,
                    links: 1,
                    identity: (0, 0),
                    stamp: (0, 0),
                };
                Ok(Box::new(MemSource::new(meta, Arc::clone(bytes))))
            }
            Self::FromRoot { path, size, stamp, stripped } => {
                let source = tree.open(path)?;
                let found = source.meta();
                if found.size != *size || found.stamp != *stamp {
                    return Err(changed(path));
                }
                Ok(match stripped {
                    Some(stripped) => Box::new(StrippedSource { source, stripped: Arc::clone(stripped) }),
                    None => source,
                })
            }
        }
    }
}

/// Refuses a file that was written to while it was read: the bytes may be a mixture of two states.
///
/// # Errors
/// `changed-while-packing`, `unreadable`.
pub fn unchanged(source: &dyn Source, path: &RootPath) -> Result<(), Error> {
    match source.is_unchanged() {
        Ok(true) => Ok(()),
        Ok(false) => Err(changed(path)),
        Err(error) => Err(Error::unreadable(path, error)),
    }
}

/// The error for a file that has changed since it was planned.
pub fn changed(path: &RootPath) -> Error {
    Error::new("changed-while-packing", format!("{path} changed while it was being packed"))
        .help("wait until nothing writes to the root, and run again")
}

/// A stripped file: the bytes of the root's file between a new head and a new tail.
struct StrippedSource {
    source: Box<dyn Source>,
    stripped: Arc<Stripped>,
}

impl Source for StrippedSource {
    fn meta(&self) -> Meta {
        Meta { size: self.stripped.size(), ..self.source.meta() }
    }

    fn is_unchanged(&self) -> io::Result<bool> {
        self.source.is_unchanged()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let keep = self.stripped.keep;
        if offset >= keep {
            let from = usize::try_from(offset - keep).unwrap_or(usize::MAX).min(self.stripped.tail.len());
            let rest = &self.stripped.tail[from..];
            let length = buffer.len().min(rest.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            return Ok(length);
        }
        let of_file = buffer.len().min(usize::try_from(keep - offset).unwrap_or(usize::MAX));
        let read = self.source.read_at(offset, &mut buffer[..of_file])?;
        if let Some(head) = usize::try_from(offset).ok().and_then(|at| self.stripped.head.get(at..)) {
            let length = head.len().min(read);
            buffer[..length].copy_from_slice(&head[..length]);
        }
        if read < of_file || read == buffer.len() {
            return Ok(read);
        }
        Ok(read + self.read_at(keep, &mut buffer[read..])?)
    }
}
