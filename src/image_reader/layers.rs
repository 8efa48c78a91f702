//! Applies layers on top of each other (OCI image specification, layer.md): whiteouts remove entries of lower layers,
//! an entry replaces one of the same name, a directory keeps its contents. File contents are read in place, or go to an
//! unnamed temporary file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tar::EntryType;

use super::gunzip::Gunzip;
use super::in_place::{InPlace, Origin};
use super::nodes::{Entry, Id, Nodes};
use super::store::{LayerBlob, OpenLayer};
use super::tar::{Fault, Input, TarEntry, TarReader};
use super::tree::{Details, ImageTree};
use super::{Reference, bad_archive, bad_image, shown, too_large};
use crate::digest::HashingWriter;
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::FileKind;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Maximum number of entries in all layers.
const MAX_ENTRIES: usize = 2_000_000;
/// Maximum memory for entries: their names, symlinks and attributes. It is enough for a million files.
const MAX_MEMORY: usize = 112 << 20;
/// Memory of a change that is kept because its layer occurs again, besides its path.
const CHANGE_MEMORY: usize = 96;
/// Maximum total size of files.
const MAX_BYTES: u64 = 64 << 30;
/// An image that unpacks to more than this many bytes, and to more than MAX_RATIO times its stored size, is a
/// decompression bomb.
const LARGE: u64 = 4 << 30;
const MAX_RATIO: u64 = 200;
const CHUNK: usize = 256 << 10;

/// An image being unpacked.
pub(super) struct Unpacking<'a> {
    reference: &'a Reference,
    stop: &'a dyn Fn() -> bool,
    nodes: Nodes,
    details: Details,
    content: Arc<File>,
    written: u64,
    in_place: InPlace,
    /// Where the layer at hand begins, if its files are read in place.
    start: Option<u64>,
    /// Size of all files.
    unpacked: u64,
    /// How many layers are read in place.
    opened: usize,
    /// Stored size of the layers.
    stored: u64,
    inodes: u32,
    seen: usize,
    /// Memory besides nodes and details.
    memory: usize,
    /// Layers that occur again later in the manifest.
    known: HashMap<String, (Rc<Vec<Change>>, String)>,
    /// What the layer at hand changes, if it occurs again later.
    record: Option<Vec<Change>>,
    /// Entries that the layer at hand removes at its end; true for what is below a directory only.
    whiteouts: Vec<(Id, bool)>,
    last: Option<String>,
    /// Number of layers below the one that is applied.
    number: u16,
}

/// A change that a layer makes.
enum Change {
    Put(RootPath, Entry),
    /// A hard link to a file: its path and that of the file.
    HardLink(RootPath, RootPath),
    /// Removes a file or directory of lower layers, or only what is below it.
    Whiteout(RootPath, bool),
}

impl Change {
    fn memory(&self) -> usize {
        let paths = match self {
            Self::Put(path, _) | Self::Whiteout(path, _) => path.as_bytes().len(),
            Self::HardLink(path, target) => path.as_bytes().len() + target.as_bytes().len(),
        };
        paths + CHANGE_MEMORY
    }
}

/// Bytes of layers that this process has read.
static BYTES_READ: AtomicU64 = AtomicU64::new(0);

/// The number of bytes of layers that this process has read, for progress messages.
#[cfg(feature = "cli")]
pub(crate) fn bytes_read() -> u64 {
    BYTES_READ.load(Ordering::Relaxed)
}

/// A reader that computes the digest of everything read and stops on cancellation.
struct Hashed<'s, R> {
    inner: R,
    at: u64,
    sink: HashingWriter<io::Sink>,
    stop: &'s dyn Fn() -> bool,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(io::Error::other("stopped"));
        }
        let read = self.inner.read(buffer)?;
        self.sink.write_all(&buffer[..read])?;
        self.at += read as u64;
        BYTES_READ.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: Read> Input for &mut Hashed<'_, R> {
    fn position(&self) -> u64 {
        self.at
    }
}

impl<'s, R: Read> Hashed<'s, R> {
    fn new(inner: R, stop: &'s dyn Fn() -> bool) -> Self {
        Self { inner, at: 0, sink: HashingWriter::new(io::sink()), stop }
    }

    fn digest(self) -> String {
        self.sink.finish().1.to_string()
    }
}

impl<'a> Unpacking<'a> {
    pub(super) fn new(reference: &'a Reference, stop: &'a dyn Fn() -> bool) -> Result<Self, Error> {
        let content = Arc::new(tempfile::tempfile().map_err(no_room)?);
        Ok(Self {
            reference,
            stop,
            nodes: Nodes::new(Entry::new(FileKind::Dir, 0o755, 0, 0, 0)),
            details: Details::default(),
            content,
            written: 0,
            in_place: InPlace::default(),
            start: None,
            unpacked: 0,
            opened: 0,
            stored: 0,
            inodes: 0,
            seen: 0,
            memory: 0,
            known: HashMap::new(),
            record: None,
            whiteouts: Vec::new(),
            last: None,
            number: 0,
        })
    }

    fn bad(&self, says: impl std::fmt::Display) -> Error {
        bad_image(self.reference, says)
    }

    fn broken(&self, fault: Fault) -> Error {
        if (self.stop)() {
            return Error::new("interrupted", "ended by a signal");
        }
        bad_archive(self.reference, "a layer", fault)
    }

    /// Applies one layer, whose digest and diff ID must match.
    ///
    /// # Errors
    /// `bad-image`, `owner-out-of-range`, `disk-full`, `interrupted`.
    pub(super) fn layer<'r>(
        &mut self,
        open: impl FnOnce(usize) -> Result<OpenLayer<'r>, Error>,
        layer: &LayerBlob,
        diff_id: Option<&str>,
        is_named_again: bool,
    ) -> Result<(), Error> {
        let known = self.known.get(&layer.name).map(|(changes, found)| (Rc::clone(changes), found.clone()));
        // The same layer twice in a row changes nothing.
        let is_again = self.last.as_ref() == Some(&layer.name);
        let found = match known {
            Some((changes, found)) => {
                for change in changes.iter().filter(|_| !is_again) {
                    self.ask()?;
                    self.apply(change)?;
                }
                found
            }
            None => {
                self.stored += layer.size;
                self.record = is_named_again.then(Vec::new);
                let found = self.unpack(open(self.opened)?, layer)?;
                if let Some(changes) = self.record.take() {
                    self.known.insert(layer.name.clone(), (Rc::new(changes), found.clone()));
                }
                found
            }
        };
        if let Some(stated) = diff_id.filter(|stated| *stated != found) {
            let says = format!("the diff ID of a layer is {found}, its configuration says {}", shown(stated));
            return Err(self.bad(says));
        }
        self.end_layer();
        self.last = Some(layer.name.clone());
        self.number = self.number.saturating_add(1);
        Ok(())
    }

    /// Carries out the whiteouts of a layer.
    fn end_layer(&mut self) {
        let Self { nodes, inodes, number, whiteouts, .. } = self;
        nodes.sweep(whiteouts, *number, &mut || implied(inodes, *number));
        whiteouts.clear();
    }

    fn unpack(&mut self, blob: OpenLayer<'_>, layer: &LayerBlob) -> Result<String, Error> {
        let stop = self.stop;
        let mut stored = Hashed::new(BufReader::with_capacity(CHUNK, blob.bytes), stop);
        let found = {
            let (plain, is_in_place) = self.decompressed(&mut stored, blob.origin, layer)?;
            self.start = is_in_place.then_some(self.in_place.start());
            let mut tar = Hashed::new(BufReader::with_capacity(CHUNK, plain), stop);
            let mut reader = TarReader::new(&mut tar);
            self.read_all(&mut reader)?;
            reader.finish().map_err(|fault| self.broken(fault))?;
            if is_in_place {
                self.in_place.end(tar.at);
                self.opened += 1;
            }
            tar.digest()
        };
        io::copy(&mut stored, &mut io::sink()).map_err(|error| self.broken(error.into()))?;
        let digest = stored.digest();
        match &layer.digest {
            Some(stated) if *stated != digest => {
                Err(self.bad(format!("a layer has the digest {digest}, its manifest says {}", shown(stated))))
            }
            _ => Ok(found),
        }
    }

    /// Decompresses a layer according to its first bytes; true if its files are read in place later.
    fn decompressed<'r>(
        &mut self,
        stored: &'r mut dyn Read,
        origin: Option<Origin>,
        layer: &LayerBlob,
    ) -> Result<(Box<dyn Read + 'r>, bool), Error> {
        let first = first_bytes(stored).map_err(|error| self.broken(error.into()))?;
        let is_gzip = first.starts_with(&[0x1f, 0x8b]);
        let is_zstd = first == [0x28, 0xb5, 0x2f, 0xfd];
        let mut whole: Box<dyn Read + 'r> = Box::new(io::Cursor::new(first).chain(stored));
        if is_zstd {
            // zstd itself refuses windows larger than 128 MiB.
            let decoder = zstd::Decoder::new(whole).map_err(|error| self.broken(error.into()))?;
            return Ok((Box::new(decoder), false));
        }
        let mut origin = origin;
        if is_gzip && origin.is_none() {
            // A registry is not asked again: what it has sent is kept, compressed.
            whole = Box::new(Copying { inner: whole, file: Arc::clone(&self.content), at: self.written });
            origin = Some(Origin::Own(Arc::clone(&self.content), self.written));
            self.written = self.written.saturating_add(layer.size);
        }
        let Some(origin) = origin else { return Ok((whole, false)) };
        let begun = self.in_place.begin(origin, layer.size, is_gzip);
        begun.map_err(|error| Error::unreadable(&self.reference.path.display(), error))?;
        match is_gzip {
            true => Ok((Box::new(Gunzip::new(whole, Some(self.in_place.collector()))), true)),
            false => Ok((whole, true)),
        }
    }

    fn read_all<R: Input>(&mut self, tar: &mut TarReader<R>) -> Result<(), Error> {
        while let Some(entry) = tar.entry().map_err(|fault| self.broken(fault))? {
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return Err(too_large(self.reference, format!("it has more than {MAX_ENTRIES} entries")));
            }
            let Some(path) = RootPath::new([b"/", entry.name.as_slice()].concat()) else {
                return Err(
                    self.bad(format!("a layer has an entry with a path outside the image: {}", show(&entry.name)))
                );
            };
            let dir = || path.parent().unwrap_or_else(RootPath::root);
            let change = if path.name() == OPAQUE {
                Some(Change::Whiteout(dir(), true))
            } else if let Some(hidden) = path.name().strip_prefix(WHITEOUT).filter(|name| !name.is_empty()) {
                Some(Change::Whiteout(dir().join(hidden), false))
            } else {
                self.read(tar, &entry, path)?
            };
            let Some(change) = change else { continue };
            self.apply(&change)?;
            if let Some(record) = &mut self.record {
                self.memory += change.memory();
                record.push(change);
            }
            self.refuse_excess()?;
        }
        Ok(())
    }

    /// Makes a change. What a whiteout removes is only marked: entries of the same layer stay.
    fn apply(&mut self, change: &Change) -> Result<(), Error> {
        let Self { nodes, inodes, number, .. } = self;
        let mut made = || implied(inodes, *number);
        match change {
            Change::Put(path, entry) => nodes.put(path, entry.in_layer(*number), &mut made),
            Change::HardLink(path, target) => {
                let found = nodes.find(target).map(|id| *nodes.entry(id));
                let Some(entry) = found.filter(|entry| entry.kind() != FileKind::Dir) else {
                    return Err(self.bad(format!("{path} is a hard link to a directory or a missing file")));
                };
                nodes.put(path, entry.in_layer(*number), &mut made);
                self.details.share(entry.inode);
            }
            Change::Whiteout(path, is_below) => self.whiteouts.extend(nodes.find(path).map(|id| (id, *is_below))),
        }
        self.refuse_excess()
    }

    /// Accounts for the memory of all entries.
    fn refuse_excess(&self) -> Result<(), Error> {
        let whiteouts = self.whiteouts.len() * size_of::<(Id, bool)>();
        if self.nodes.memory() + self.details.memory() + whiteouts + self.memory > MAX_MEMORY {
            let says =
                format!("its entries, their names, links and attributes take more than {} MiB", MAX_MEMORY >> 20);
            return Err(too_large(self.reference, says));
        }
        Ok(())
    }

    /// Reads an entry of a layer; `None` if it is not a file system entry.
    fn read<R: Input>(
        &mut self,
        tar: &mut TarReader<R>,
        entry: &TarEntry,
        path: RootPath,
    ) -> Result<Option<Change>, Error> {
        let kind = entry.kind;
        if kind.is_hard_link() {
            return match RootPath::new([b"/", entry.link.as_slice()].concat()) {
                Some(target) => Ok(Some(Change::HardLink(path, target))),
                None => Err(self.bad(format!("{path} is a hard link to a path outside the image"))),
            };
        }
        let mut made = match kind {
            EntryType::Directory => self.made(FileKind::Dir, entry),
            EntryType::Symlink => {
                let mut made = self.made(FileKind::Link, entry);
                (made.start, made.size) = self.details.text(&entry.link);
                made
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.refuse_bomb(entry.size)?;
                let in_place = self.start.filter(|_| entry.pieces.is_none());
                let in_place = in_place.and_then(|start| start.checked_add(tar.input().position()));
                let start = in_place.unwrap_or(self.written);
                if in_place.is_none() {
                    self.store(tar, entry)?;
                }
                let mut made = self.made(FileKind::File, entry);
                (made.size, made.start) = (entry.size, start);
                if in_place.is_some() {
                    made.stay_in_place();
                }
                made
            }
            kind if kind.is_character_special() || kind.is_block_special() || kind.is_fifo() => {
                self.made(FileKind::Other, entry)
            }
            _ => return Ok(None),
        };
        made.attributes = self.details.attributes(&entry.xattrs);
        Ok(Some(Change::Put(path, made)))
    }

    /// Accounts for the size of a file.
    fn refuse_bomb(&mut self, size: u64) -> Result<(), Error> {
        let all = self.unpacked.checked_add(size).filter(|all| *all <= MAX_BYTES);
        self.unpacked = all.ok_or_else(|| self.bad("it unpacks to more than 64 GiB"))?;
        if self.unpacked > LARGE && self.unpacked / MAX_RATIO > self.stored {
            return Err(self.bad(format!("it unpacks to more than 4 GiB and {MAX_RATIO} times its size")));
        }
        Ok(())
    }

    /// Stores the contents of a file at the offset `written`.
    fn store<R: Input>(&mut self, tar: &mut TarReader<R>, entry: &TarEntry) -> Result<(), Error> {
        let whole = [(0, entry.size)];
        let mut buffer = vec![0; CHUNK.min(usize::try_from(entry.size).unwrap_or(CHUNK))];
        for (offset, length) in entry.pieces.as_deref().unwrap_or(&whole) {
            let (mut at, piece_end) = (self.written + offset, self.written + offset + length);
            while at < piece_end {
                let wanted = usize::try_from(piece_end - at).unwrap_or(CHUNK).min(buffer.len());
                tar.read_exact(&mut buffer[..wanted]).map_err(|error| self.broken(error.into()))?;
                // Leave a hole for zeros.
                if buffer[..wanted].iter().any(|b| *b != 0) {
                    self.content.write_all_at(&buffer[..wanted], at).map_err(no_room)?;
                }
                at += wanted as u64;
            }
        }
        self.written = self.written.saturating_add(entry.size);
        Ok(())
    }

    fn made(&mut self, kind: FileKind, entry: &TarEntry) -> Entry {
        self.inodes += 1;
        let owner = self.details.owner(entry.owner);
        Entry::new(kind, entry.mode, owner, self.inodes, self.number)
    }

    /// Counts a step that reads nothing, and checks for cancellation.
    fn ask(&mut self) -> Result<(), Error> {
        self.seen += 1;
        if self.seen > 2 * MAX_ENTRIES {
            let says = format!("its layers have more than {MAX_ENTRIES} entries in all");
            return Err(too_large(self.reference, says));
        }
        if (self.stop)() { Err(Error::new("interrupted", "ended by a signal")) } else { Ok(()) }
    }

    pub(super) fn finish(self) -> Result<ImageTree, Error> {
        // The file may end with a hole.
        self.content.set_len(self.written).map_err(no_room)?;
        Ok(ImageTree::new(self.nodes, self.details, self.content, self.in_place))
    }
}

fn no_room(error: io::Error) -> Error {
    Error::unwritable(&std::env::temp_dir().display(), error)
}

/// A directory that no layer has, but that has contents.
fn implied(inodes: &mut u32, layer: u16) -> Entry {
    *inodes += 1;
    Entry::new(FileKind::Dir, 0o755, 0, *inodes, layer)
}

/// The first bytes of a layer, by which its compression is known.
fn first_bytes(stored: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    stored.take(4).read_to_end(&mut first)?;
    Ok(first)
}

/// A reader that also writes what it reads to a file.
struct Copying<R> {
    inner: R,
    file: Arc<File>,
    at: u64,
}

impl<R: Read> Read for Copying<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.file.write_all_at(&buffer[..read], self.at).map_err(|error| io::Error::other(no_room(error)))?;
        self.at += read as u64;
        Ok(read)
    }
}
