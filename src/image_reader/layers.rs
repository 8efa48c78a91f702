//! Applies layers on top of each other (OCI image specification, layer.md): whiteouts remove entries of lower layers,
//! an entry replaces one of the same name, a directory keeps its contents. File contents go to an unnamed temporary
//! file, except those of a plain layer in an archive, which are read in place.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tar::EntryType;

use super::store::LayerBlob;
use super::tar::{Fault, Input, TarEntry, TarReader};
use super::tree::{Archive, Entry, ImageTree};
use super::{Reference, bad_archive, bad_image, shown};
use crate::digest::HashingWriter;
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Meta};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Maximum number of entries in all layers.
const MAX_ENTRIES: usize = 2_000_000;
/// Maximum memory for names, symlinks and attributes of all entries.
const MAX_MEMORY: usize = 512 << 20;
/// Memory of an entry besides its name.
const ENTRY_MEMORY: usize = 256;
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
    entries: BTreeMap<RootPath, Entry>,
    content: File,
    archive: Option<Archive>,
    /// Offset of the layer whose files stay in the archive.
    plain: Option<u64>,
    written: u64,
    /// Stored size of the layers.
    stored: u64,
    inodes: u64,
    seen: usize,
    memory: usize,
    /// Layers that occur again later in the manifest.
    known: HashMap<String, (Rc<Layer>, String)>,
    last: Option<String>,
    /// Number of layers below the one that is applied.
    number: u32,
}

/// The changes that a layer makes to lower layers.
#[derive(Default)]
struct Layer {
    removed: Vec<Removed>,
    entries: BTreeMap<RootPath, Made>,
}

enum Removed {
    /// A file or a whole directory.
    Path(RootPath),
    /// Everything in a directory.
    Below(RootPath),
}

#[derive(Clone)]
enum Made {
    Entry(Entry),
    /// A hard link to a file in a lower layer.
    Link(RootPath),
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
    pub(super) fn new(
        reference: &'a Reference,
        archive: Option<&Arc<File>>,
        stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let content = tempfile::tempfile().map_err(no_room)?;
        let archive = archive.map(Archive::new).transpose();
        let archive = archive.map_err(|error| Error::unreadable(&reference.path.display(), error))?;
        let mut this = Self {
            reference,
            stop,
            entries: BTreeMap::new(),
            content,
            archive,
            plain: None,
            written: 0,
            stored: 0,
            inodes: 0,
            seen: 0,
            memory: 0,
            known: HashMap::new(),
            last: None,
            number: 0,
        };
        let root = this.made(FileKind::Dir, 0o755, (0, 0));
        this.entries.insert(RootPath::root(), root);
        Ok(this)
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
        open: impl FnOnce() -> Result<Box<dyn Read + 'r>, Error>,
        layer: &LayerBlob,
        diff_id: Option<&str>,
        is_named_again: bool,
    ) -> Result<(), Error> {
        let (done, found) = match self.known.get(&layer.name) {
            Some((done, found)) => (Rc::clone(done), found.clone()),
            None => {
                self.stored += layer.size;
                let (done, found) = self.unpacked(open()?, layer)?;
                let done = Rc::new(done);
                if is_named_again {
                    self.known.insert(layer.name.clone(), (Rc::clone(&done), found.clone()));
                }
                (done, found)
            }
        };
        if let Some(stated) = diff_id.filter(|stated| *stated != found) {
            let says = format!("the diff ID of a layer is {found}, its configuration says {}", shown(stated));
            return Err(self.bad(says));
        }
        // The same layer twice in a row changes nothing.
        if self.last.as_ref() != Some(&layer.name) {
            self.last = Some(layer.name.clone());
            match Rc::try_unwrap(done) {
                Ok(done) => self.apply(done.removed.iter(), done.entries.into_iter())?,
                Err(done) => {
                    let entries = done.entries.iter().map(|(path, made)| (path.clone(), made.clone()));
                    self.apply(done.removed.iter(), entries)?;
                }
            }
        }
        self.number = self.number.saturating_add(1);
        Ok(())
    }

    fn unpacked(&mut self, blob: Box<dyn Read + '_>, layer: &LayerBlob) -> Result<(Layer, String), Error> {
        let stop = self.stop;
        let mut stored = Hashed::new(BufReader::with_capacity(CHUNK, blob), stop);
        let (done, found) = {
            let (plain, is_plain) = decompressed(&mut stored).map_err(|error| self.broken(error.into()))?;
            self.plain = layer.start.filter(|_| is_plain);
            let mut tar = Hashed::new(BufReader::with_capacity(CHUNK, plain), stop);
            let mut reader = TarReader::new(&mut tar);
            let done = self.read_all(&mut reader)?;
            reader.finish().map_err(|fault| self.broken(fault))?;
            (done, tar.digest())
        };
        io::copy(&mut stored, &mut io::sink()).map_err(|error| self.broken(error.into()))?;
        let digest = stored.digest();
        match &layer.digest {
            Some(stated) if *stated != digest => {
                Err(self.bad(format!("a layer has the digest {digest}, its manifest says {}", shown(stated))))
            }
            _ => Ok((done, found)),
        }
    }

    fn read_all<R: Input>(&mut self, tar: &mut TarReader<R>) -> Result<Layer, Error> {
        let mut own = Layer::default();
        while let Some(entry) = tar.entry().map_err(|fault| self.broken(fault))? {
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return Err(self.bad(format!("it has more than {MAX_ENTRIES} entries")));
            }
            let Some(path) = RootPath::new([b"/", entry.name.as_slice()].concat()) else {
                return Err(
                    self.bad(format!("a layer has an entry with a path outside the image: {}", show(&entry.name)))
                );
            };
            let dir = || path.parent().unwrap_or_else(RootPath::root);
            if path.name() == OPAQUE {
                own.removed.push(Removed::Below(dir()));
            } else if let Some(hidden) = path.name().strip_prefix(WHITEOUT).filter(|name| !name.is_empty()) {
                own.removed.push(Removed::Path(dir().join(hidden)));
            } else if let Some(made) = self.read(tar, &entry, &path, &own)? {
                if !matches!(&made, Made::Entry(entry) if entry.meta.kind == FileKind::Dir) {
                    let below: Vec<_> = below(&own.entries, &path).collect();
                    below.iter().for_each(|path| drop(own.entries.remove(path)));
                }
                self.charge(&path, &made, entry.kind.is_hard_link())?;
                own.entries.insert(path, made);
            }
        }
        Ok(own)
    }

    /// Accounts for the memory of an entry.
    fn charge(&mut self, path: &RootPath, made: &Made, shares_attributes: bool) -> Result<(), Error> {
        let of_made = match made {
            Made::Link(target) => target.as_bytes().len(),
            Made::Entry(entry) if shares_attributes => entry.text.len(),
            Made::Entry(entry) => {
                entry.text.len() + entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
            }
        };
        self.charge_bytes(2 * path.as_bytes().len() + of_made + ENTRY_MEMORY)
    }

    fn charge_bytes(&mut self, bytes: usize) -> Result<(), Error> {
        self.memory = self.memory.saturating_add(bytes);
        if self.memory > MAX_MEMORY {
            return Err(self.bad("names, links and attributes of its entries take more than 512 MiB"));
        }
        Ok(())
    }

    /// Reads an entry of a layer; `None` if it is not a file system entry.
    fn read<R: Input>(
        &mut self,
        tar: &mut TarReader<R>,
        entry: &TarEntry,
        path: &RootPath,
        own: &Layer,
    ) -> Result<Option<Made>, Error> {
        let kind = entry.kind;
        if kind.is_hard_link() {
            let Some(target) = RootPath::new([b"/", entry.link.as_slice()].concat()) else {
                return Err(self.bad(format!("{path} is a hard link to a path outside the image")));
            };
            return match own.entries.get(&target) {
                Some(Made::Entry(known)) if known.meta.kind == FileKind::Dir => {
                    Err(self.bad(format!("{path} is a hard link to a directory")))
                }
                Some(known) => Ok(Some(known.clone())),
                None => Ok(Some(Made::Link(target))),
            };
        }
        let mut made = match kind {
            EntryType::Directory => self.made(FileKind::Dir, entry.mode, entry.owner),
            EntryType::Symlink => {
                let mut made = self.made(FileKind::Link, entry.mode, entry.owner);
                made.text.clone_from(&entry.link);
                made
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let in_archive = self.plain.filter(|_| entry.pieces.is_none());
                let in_archive = in_archive.and_then(|start| start.checked_add(tar.input().position()));
                let start = in_archive.unwrap_or(self.written);
                if in_archive.is_none() {
                    self.store(tar, entry)?;
                }
                let mut made = self.made(FileKind::File, entry.mode, entry.owner);
                made.meta.size = entry.size;
                made.start = start;
                if let Some(archive) = self.archive.as_ref().filter(|_| in_archive.is_some()) {
                    made.is_in_archive = true;
                    made.meta.stamp = archive.stamp;
                }
                made
            }
            kind if kind.is_character_special() || kind.is_block_special() || kind.is_fifo() => {
                self.made(FileKind::Other, entry.mode, entry.owner)
            }
            _ => return Ok(None),
        };
        made.xattrs = Arc::clone(&entry.xattrs);
        Ok(Some(Made::Entry(made)))
    }

    /// Stores the contents of a file at the offset `written`.
    fn store<R: Input>(&mut self, tar: &mut TarReader<R>, entry: &TarEntry) -> Result<(), Error> {
        let end = self.written.checked_add(entry.size).filter(|end| *end <= MAX_BYTES);
        let Some(end) = end else { return Err(self.bad("it unpacks to more than 64 GiB")) };
        if end > LARGE && end / MAX_RATIO > self.stored {
            return Err(self.bad(format!("it unpacks to more than 4 GiB and {MAX_RATIO} times its size")));
        }
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
        self.written = end;
        Ok(())
    }

    fn made(&mut self, kind: FileKind, mode: u32, (uid, gid): (u32, u32)) -> Entry {
        self.inodes += 1;
        let identity = (0, self.inodes);
        let meta = Meta { kind, mode, uid, gid, size: 0, links: 1, identity, stamp: (0, 0) };
        Entry { meta, text: Vec::new(), start: 0, is_in_archive: false, layer: self.number, xattrs: Arc::new([]) }
    }

    fn apply<'l>(
        &mut self,
        removed: impl Iterator<Item = &'l Removed>,
        entries: impl Iterator<Item = (RootPath, Made)>,
    ) -> Result<(), Error> {
        let mut put = Vec::new();
        for (path, made) in entries {
            let entry = match made {
                Made::Entry(entry) => entry,
                Made::Link(target) => match self.entries.get(&target) {
                    Some(known) if known.meta.kind != FileKind::Dir => known.clone(),
                    _ => return Err(self.bad(format!("{path} is a hard link to a missing file"))),
                },
            };
            put.push((path, entry));
        }
        for removed in removed {
            self.ask()?;
            match removed {
                Removed::Path(path) => self.remove(path),
                Removed::Below(dir) => self.remove_below(dir),
            }
        }
        for (path, entry) in put {
            self.put(path, entry)?;
        }
        Ok(())
    }

    /// Counts a step that reads nothing, and checks for cancellation.
    fn ask(&mut self) -> Result<(), Error> {
        self.seen += 1;
        if self.seen > 2 * MAX_ENTRIES {
            return Err(self.bad(format!("its layers have more than {MAX_ENTRIES} entries in all")));
        }
        if (self.stop)() { Err(Error::new("interrupted", "ended by a signal")) } else { Ok(()) }
    }

    /// Adds or replaces an entry. Parent directories that the layer omits are created.
    fn put(&mut self, path: RootPath, entry: Entry) -> Result<(), Error> {
        self.ask()?;
        // An existing entry has its parent directories already.
        let mut above = path.parent();
        while let Some(dir) = above {
            let is_known = match self.entries.get(&dir) {
                Some(known) if known.meta.kind == FileKind::Dir => break,
                known => known.is_some(),
            };
            let made = self.made(FileKind::Dir, 0o755, (0, 0));
            self.charge_bytes(2 * dir.as_bytes().len() + ENTRY_MEMORY)?;
            above = if is_known { None } else { dir.parent() };
            self.entries.insert(dir, made);
        }
        if entry.meta.kind != FileKind::Dir {
            self.remove_below(&path);
        }
        self.entries.insert(path, Entry { layer: self.number, ..entry });
        Ok(())
    }

    fn remove(&mut self, path: &RootPath) {
        self.remove_below(path);
        if !path.is_root() {
            self.entries.remove(path);
        }
    }

    fn remove_below(&mut self, path: &RootPath) {
        let below: Vec<_> = below(&self.entries, path).collect();
        below.iter().for_each(|path| drop(self.entries.remove(path)));
    }

    pub(super) fn finish(self) -> Result<ImageTree, Error> {
        // The file may end with a hole.
        self.content.set_len(self.written).map_err(no_room)?;
        Ok(ImageTree::new(self.entries, self.content, self.archive))
    }
}

fn no_room(error: io::Error) -> Error {
    Error::unwritable(&std::env::temp_dir().display(), error)
}

fn below<'m, E>(entries: &'m BTreeMap<RootPath, E>, dir: &'m RootPath) -> impl Iterator<Item = RootPath> + use<'m, E> {
    entries
        .range(dir.clone()..)
        .map(|(path, _)| path)
        .filter(move |path| *path != dir)
        .take_while(move |path| path.is_within(dir))
        .cloned()
}

/// Decompresses a layer according to its first bytes; true if it is not compressed.
fn decompressed<'r>(stored: &'r mut dyn Read) -> io::Result<(Box<dyn Read + 'r>, bool)> {
    let mut first = [0; 4];
    let mut length = 0;
    while length < first.len() {
        match stored.read(&mut first[length..])? {
            0 => break,
            read => length += read,
        }
    }
    let whole = io::Cursor::new(first[..length].to_vec()).chain(stored);
    Ok(match first {
        [0x1f, 0x8b, ..] => (Box::new(flate2::read::MultiGzDecoder::new(whole)), false),
        // zstd itself refuses windows larger than 128 MiB.
        [0x28, 0xb5, 0x2f, 0xfd] => (Box::new(zstd::Decoder::new(whole)?), false),
        _ => (Box::new(whole), true),
    })
}
