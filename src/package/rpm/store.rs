//! The file of a database, which is read in pieces: a sparse file of many gigabytes is easy to create.

use crate::root::Source;

/// Maximum size of a database that is read; that of a full workstation has 200 MB.
pub(super) const MAX_DATABASE: u64 = 512 << 20;
/// Maximum size of a header.
pub(super) const MAX_HEADER: usize = 32 << 20;

/// Takes the number of a header in its database and its bytes; `None` ends the reading.
pub(super) type Take<'t> = &'t mut dyn FnMut(u64, &[u8]) -> Option<()>;

/// A database of one of three formats.
pub(super) trait Store {
    /// Passes all headers to `take`, ordered by number; `None` if the format is invalid.
    fn each(&self, take: Take<'_>) -> Option<()>;
}

/// Numbers and bytes at offsets of a file.
pub(super) struct File {
    source: Box<dyn Source>,
    pub(super) size: usize,
    pub(super) is_big: bool,
}

impl File {
    pub(super) fn new(source: Box<dyn Source>) -> Option<Self> {
        let size = usize::try_from(source.meta().size).ok()?;
        Some(Self { source, size, is_big: false })
    }

    /// Reads exactly this many bytes; memory is only taken for bytes that the file has.
    pub(super) fn bytes(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        if at.checked_add(length)? > self.size {
            return None;
        }
        let mut bytes = vec![0; length];
        self.fill(at, &mut bytes)?;
        Some(bytes)
    }

    pub(super) fn fill(&self, at: usize, buffer: &mut [u8]) -> Option<()> {
        let read = self.source.read_at(at as u64, buffer).ok()?;
        (read == buffer.len()).then_some(())
    }

    pub(super) fn long(&self, at: usize) -> Option<usize> {
        let mut word = [0; 4];
        self.fill(at, &mut word)?;
        long(&word, 0, self.is_big)
    }
}

/// The number of four bytes at an offset.
pub(super) fn long(bytes: &[u8], at: usize, is_big: bool) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(if is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }).ok()
}

/// The number of two bytes at an offset.
pub(super) fn short(bytes: &[u8], at: usize, is_big: bool) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(usize::from(if is_big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) }))
}
