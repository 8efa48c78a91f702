//! Zip files (PKWARE's APPNOTE): jars, wheels, zip applications. They are read where they lie: the directory at the end,
//! then single members.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use memchr::memmem;
use zip::{CompressionMethod, ZipArchive};

use crate::root::{Meta, Source};

/// Maximum number of bytes that are read to find the directory of members and to read it. An entry takes some 300 bytes
/// of memory and at least 46 of these.
const MAX_DIRECTORY: u64 = 16 << 20;
/// Maximum number of members.
const MAX_MEMBERS: u64 = 1 << 18;
/// Maximum number of stored bytes that are read for members: a compressed member can have pieces that yield nothing.
const MAX_STORED: u64 = 1 << 30;

/// The record at the end, with its maximum length: a comment follows it (APPNOTE 4.3.16).
const END: &[u8] = b"PK\x05\x06";
const MAX_END: u64 = 22 + (64 << 10);
/// The record at the end of a large file, and where the number of members is in it (APPNOTE 4.3.14).
const LARGE_END: &[u8] = b"PK\x06\x06";
const COUNT: u64 = 32;

/// A file, or a part of one.
#[derive(Clone, Copy)]
pub(crate) struct Place<'s> {
    source: &'s dyn Source,
    start: u64,
    size: u64,
}

impl<'s> Place<'s> {
    /// A whole file.
    pub(crate) fn whole(source: &'s dyn Source) -> Self {
        Self { source, start: 0, size: source.meta().size }
    }

    /// The metadata of the file that it is in.
    pub(crate) fn meta(&self) -> Meta {
        self.source.meta()
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        self.source.read_at(self.start.saturating_add(at), &mut buffer[..wanted])
    }
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// It is no zip file, or a damaged one.
    Damaged,
    /// Its directory of members is larger than what is read.
    TooLarge,
}

impl NotRead {
    /// The message about a file that is too large, without its subject; `None` for other causes.
    pub(crate) fn says(self) -> Option<String> {
        let (bytes, members) = (MAX_DIRECTORY >> 20, MAX_MEMBERS);
        let says = || format!("the directory of its members has more than {bytes} MiB or {members} entries");
        (self == Self::TooLarge).then(says)
    }
}

/// Remaining limits, shared with the reader that is given to the zip library.
struct Left {
    bytes: Cell<u64>,
    is_opening: Cell<bool>,
    is_spent: Cell<bool>,
}

/// A zip file.
pub(crate) struct Zip<'s> {
    place: Place<'s>,
    left: Rc<Left>,
    archive: ZipArchive<BufReader<Window<'s>>>,
}

impl<'s> Zip<'s> {
    /// Reads the directory of members.
    ///
    /// # Errors
    /// [`NotRead`].
    pub(crate) fn open(place: Place<'s>) -> Result<Self, NotRead> {
        // The library would search a file without a record from its end to its start.
        let mut tail = vec![0; usize::try_from(MAX_END.min(place.size)).unwrap_or(0)];
        let read = place.read_at(place.size - tail.len() as u64, &mut tail);
        if read.ok() != Some(tail.len()) || memmem::rfind(&tail, END).is_none() {
            return Err(NotRead::Damaged);
        }
        let left = Left { bytes: Cell::new(MAX_DIRECTORY), is_opening: Cell::new(true), is_spent: Cell::new(false) };
        let left = Rc::new(left);
        let archive = ZipArchive::new(BufReader::new(Window { place, at: 0, left: Rc::clone(&left) }));
        let why = if left.is_spent.get() { NotRead::TooLarge } else { NotRead::Damaged };
        let archive = archive.map_err(|_| why)?;
        left.is_opening.set(false);
        left.bytes.set(MAX_STORED);
        Ok(Self { place, left, archive })
    }

    /// The number of members.
    pub(crate) fn count(&self) -> usize {
        self.archive.len()
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.archive.file_names()
    }

    /// True if members were not read because too many bytes had been read before.
    pub(crate) fn is_spent(&self) -> bool {
        self.left.is_spent.get()
    }

    /// The beginning of a member; `None` if there is none of this name, or it is damaged.
    pub(crate) fn head(&mut self, name: &str, length: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.archive.by_name(name).ok()?.take(length).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// A member; `None` if it is damaged.
    pub(crate) fn member(&mut self, index: usize) -> Option<Member<'_, 's>> {
        let place = self.place;
        self.archive.by_index(index).ok().map(|file| Member { file, place })
    }
}

/// A member, read from its start.
pub(crate) struct Member<'z, 's> {
    file: zip::read::ZipFile<'z, BufReader<Window<'s>>>,
    place: Place<'s>,
}

impl<'s> Member<'_, 's> {
    /// Its name, which may be anything.
    pub(crate) fn name(&self) -> &str {
        self.file.name()
    }

    /// Its size according to the directory.
    pub(crate) fn size(&self) -> u64 {
        self.file.size()
    }

    /// True for a regular file.
    pub(crate) fn is_file(&self) -> bool {
        self.file.is_file()
    }

    /// Its location in the source, if it is stored without compression.
    pub(crate) fn place(&self) -> Option<Place<'s>> {
        let start = self.file.data_start().filter(|_| self.file.compression() == CompressionMethod::Stored)?;
        let size = self.file.compressed_size();
        let is_within = start.checked_add(size).is_some_and(|end| end <= self.place.size);
        is_within.then(|| Place { source: self.place.source, start: self.place.start + start, size })
    }
}

impl Read for Member<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// The reader that is given to the zip library; it enforces the limits.
struct Window<'s> {
    place: Place<'s>,
    at: u64,
    left: Rc<Left>,
}

impl Window<'_> {
    fn refused(&self) -> io::Error {
        self.left.is_spent.set(true);
        io::Error::other("a limit")
    }

    /// Refuses a number of members for which the library would reserve too much memory.
    fn refuse_many(&self, read: &[u8]) -> io::Result<()> {
        // The mark may begin in what was read before.
        let before = self.at.min(LARGE_END.len() as u64 - 1);
        let mut edge = [0; 2 * (LARGE_END.len() - 1)];
        let length = self.place.read_at(self.at - before, &mut edge)?;
        let marks = memmem::find_iter(&edge[..length], LARGE_END).map(|at| self.at - before + at as u64);
        for mark in marks.chain(memmem::find_iter(read, LARGE_END).map(|at| self.at + at as u64)) {
            let mut count = [0; 8];
            let length = self.place.read_at(mark.saturating_add(COUNT), &mut count)?;
            if length == count.len() && u64::from_le_bytes(count) > MAX_MEMBERS {
                return Err(self.refused());
            }
        }
        Ok(())
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.bytes.get();
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if wanted == 0 && !buffer.is_empty() && self.at < self.place.size {
            return Err(self.refused());
        }
        let read = self.place.read_at(self.at, &mut buffer[..wanted])?;
        self.left.bytes.set(left - read as u64);
        if self.left.is_opening.get() {
            self.refuse_many(&buffer[..read])?;
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.place.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use super::*;
    use crate::path::RootPath;
    use crate::root::{MemTree, Tree};
    use zip::write::SimpleFileOptions;

    fn opened(bytes: Vec<u8>, look: impl FnOnce(Result<Zip<'_>, NotRead>)) {
        let mut tree = MemTree::default();
        tree.file("/a.jar", 0o644, bytes);
        let tree: Arc<dyn Tree> = Arc::new(tree);
        let source = tree.open(&RootPath::new("/a.jar").expect("a path")).expect("a file");
        look(Zip::open(Place::whole(&*source)));
    }

    /// A zip file that says how many members it has, as large ones do.
    fn large(count: u64, directory: &[u8]) -> Vec<u8> {
        let start = 1 << 20;
        let mut out = vec![0; start];
        out.extend_from_slice(directory);
        let end = out.len() as u64;
        out.extend_from_slice(LARGE_END);
        out.extend_from_slice(&44_u64.to_le_bytes());
        out.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [count, count, directory.len() as u64, start as u64] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        out.extend_from_slice(&end.to_le_bytes());
        out.extend_from_slice(&[1, 0, 0, 0]);
        out.extend_from_slice(END);
        out.extend_from_slice(&[
            0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0,
        ]);
        out
    }

    #[test]
    fn a_number_of_members_reserves_no_memory() {
        for count in [MAX_MEMBERS + 1, 1 << 40, u64::MAX] {
            opened(large(count, b"PK\x01\x02"), |found| assert_eq!(found.err(), Some(NotRead::TooLarge), "{count}"));
        }
        opened(large(3, b"PK\x01\x02"), |found| assert_eq!(found.err(), Some(NotRead::Damaged)));
        let entry = [b"PK\x01\x02".as_slice(), &[0; 42]].concat();
        opened(large(3, &entry.repeat(3)), |found| assert!(found.is_ok()));
        opened(large(400_000, &entry.repeat(400_000)), |found| assert_eq!(found.err(), Some(NotRead::TooLarge)));
        opened(large(1, &[0; 1 << 16]), |found| assert_eq!(found.err(), Some(NotRead::Damaged)));
    }

    #[test]
    fn stored_members_are_found_where_they_lie() {
        let mut made = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        made.start_file("a", SimpleFileOptions::default()).expect("begun");
        made.write_all(&[b'a'; 5000]).expect("written");
        made.start_file("b", stored).expect("begun");
        made.write_all(b"as it is").expect("written");
        opened(made.finish().expect("made").into_inner(), |found| {
            let mut zip = found.expect("a zip file");
            assert_eq!(zip.head("a", 3), Some(b"aaa".to_vec()));
            assert!(zip.member(0).expect("a").place().is_none());
            let mut text = [0; 8];
            zip.member(1).expect("b").place().expect("stored").read_at(0, &mut text).expect("read");
            assert_eq!(&text, b"as it is");
        });
    }
}
