//! Layers applied one on the other (OCI image specification, layer.md): whiteouts take from the layers below, an entry
//! replaces what has its name, a directory keeps what lies in it. Content goes to a temporary file without a name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use super::store::LayerBlob;
use super::tree::{Entry, ImageTree};
use super::{Reference, bad_image};
use crate::digest::HashingWriter;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Meta};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Where tar keeps extended attributes (star's SCHILY extension).
const XATTR: &str = "SCHILY.xattr.";
/// Entries of all layers.
const MAX_ENTRIES: usize = 4_000_000;
/// Bytes of all files: an image larger than this is a bomb.
const MAX_BYTES: u64 = 256 << 30;

/// An image in the making.
pub(super) struct Unpacking<'a> {
    reference: &'a Reference,
    entries: BTreeMap<RootPath, Entry>,
    content: BufWriter<File>,
    written: u64,
    inodes: u64,
    seen: usize,
}

/// Reads on and keeps the digest of everything.
struct Hashed<R> {
    inner: R,
    sink: HashingWriter<io::Sink>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sink.write_all(&buffer[..read])?;
        Ok(read)
    }
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, sink: HashingWriter::new(io::sink()) }
    }

    /// Reads what is left, and gives the digest.
    fn digest(mut self) -> io::Result<String> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.sink.finish().1.to_string())
    }
}

impl<'a> Unpacking<'a> {
    pub(super) fn new(reference: &'a Reference) -> Result<Self, Error> {
        let content =
            tempfile::tempfile().map_err(|error| Error::unwritable(&std::env::temp_dir().display(), error))?;
        let mut this = Self {
            reference,
            entries: BTreeMap::new(),
            content: BufWriter::with_capacity(1 << 20, content),
            written: 0,
            inodes: 0,
            seen: 0,
        };
        let root = this.entry(FileKind::Dir, 0o755, (0, 0), Vec::new());
        this.entries.insert(RootPath::root(), root);
        Ok(this)
    }

    fn bad(&self, says: impl std::fmt::Display) -> Error {
        bad_image(self.reference, says)
    }

    /// Applies one layer. Its digest and diff ID must be those stated.
    pub(super) fn layer(
        &mut self,
        blob: Box<dyn Read>,
        layer: &LayerBlob,
        diff_id: Option<&str>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let broken = |this: &Self, error: io::Error| this.bad(format!("its layer {} is broken: {error}", layer.name));
        let mut stored = Hashed::new(BufReader::with_capacity(1 << 18, blob));
        {
            let plain = decompressed(&mut stored).map_err(|error| broken(self, error))?;
            let mut tar = Hashed::new(plain);
            self.unpack(&mut tar, stop)?;
            let found = tar.digest().map_err(|error| broken(self, error))?;
            if let Some(stated) = diff_id.filter(|stated| *stated != found) {
                return Err(self.bad(format!("the diff ID of a layer is {found}, its configuration says {stated}")));
            }
        }
        let found = stored.digest().map_err(|error| broken(self, error))?;
        match &layer.digest {
            Some(stated) if *stated != found => {
                Err(self.bad(format!("a layer has the digest {found}, its manifest says {stated}")))
            }
            _ => Ok(()),
        }
    }

    fn unpack(&mut self, tar: &mut dyn Read, stop: &dyn Fn() -> bool) -> Result<(), Error> {
        let mut archive = tar::Archive::new(tar);
        let mut own: BTreeMap<RootPath, Entry> = BTreeMap::new();
        let reference = self.reference;
        let broken = |error: io::Error| bad_image(reference, format!("a layer is no tar archive: {error}"));
        for entry in archive.entries().map_err(broken)? {
            if stop() {
                return Err(Error::new("interrupted", "ended by a signal"));
            }
            self.seen += 1;
            if self.seen > MAX_ENTRIES {
                return Err(self.bad(format!("it has more than {MAX_ENTRIES} entries")));
            }
            let mut entry = entry.map_err(broken)?;
            let name = entry.path_bytes().into_owned();
            let Some(path) = RootPath::new([b"/", name.as_slice()].concat()) else {
                return Err(self.bad(format!("a layer has an entry that leads out of it: {}", name.escape_ascii())));
            };
            if path.name() == OPAQUE {
                let dir = path.parent().unwrap_or_else(RootPath::root);
                self.remove_below(&dir);
            } else if let Some(hidden) = path.name().strip_prefix(WHITEOUT).filter(|name| !name.is_empty()) {
                let dir = path.parent().unwrap_or_else(RootPath::root);
                self.remove(&dir.join(hidden));
            } else if let Some(made) = self.read(&mut entry, &path, &own)? {
                if made.meta.kind != FileKind::Dir {
                    let below: Vec<_> = below(&own, &path).collect();
                    below.iter().for_each(|path| drop(own.remove(path)));
                }
                own.insert(path, made);
            }
        }
        for (path, entry) in own {
            self.put(path, entry);
        }
        Ok(())
    }

    /// An entry of a layer; nothing for what is no file system entry.
    fn read<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        path: &RootPath,
        own: &BTreeMap<RootPath, Entry>,
    ) -> Result<Option<Entry>, Error> {
        let reference = self.reference;
        let broken = |error: io::Error| bad_image(reference, format!("the entry {path} of a layer is broken: {error}"));
        let header = entry.header();
        let kind = header.entry_type();
        let mode = header.mode().map_err(broken)? & 0o7777;
        let id = |number: io::Result<u64>| number.map(|id| u32::try_from(id).unwrap_or(u32::MAX));
        let owner = (id(header.uid()).map_err(broken)?, id(header.gid()).map_err(broken)?);
        if kind.is_hard_link() {
            let target = entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
            let target = RootPath::new([b"/", target.as_slice()].concat());
            let known = target.and_then(|target| own.get(&target).or_else(|| self.entries.get(&target)).cloned());
            return match known {
                Some(known) if known.meta.kind != FileKind::Dir => Ok(Some(known)),
                _ => Err(self.bad(format!("{path} is a hard link to what is not there"))),
            };
        }
        let xattrs = xattrs(entry).map_err(broken)?;
        let mut made = match kind {
            tar::EntryType::Directory => self.entry(FileKind::Dir, mode, owner, Vec::new()),
            tar::EntryType::Symlink => {
                let text = entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
                self.entry(FileKind::Link, mode, owner, text)
            }
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
                let start = self.written;
                let mut limited = entry.take(MAX_BYTES - self.written);
                let size = io::copy(&mut limited, &mut self.content).map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        Error::unwritable(&std::env::temp_dir().display(), error)
                    }
                    _ => broken(error),
                })?;
                self.written += size;
                if self.written >= MAX_BYTES {
                    return Err(self.bad(format!("it unpacks to more than {MAX_BYTES} bytes")));
                }
                let mut made = self.entry(FileKind::File, mode, owner, Vec::new());
                made.meta.size = size;
                made.start = start;
                made
            }
            kind if kind.is_character_special() || kind.is_block_special() || kind.is_fifo() => {
                self.entry(FileKind::Other, mode, owner, Vec::new())
            }
            _ => return Ok(None),
        };
        made.xattrs = xattrs;
        Ok(Some(made))
    }

    fn entry(&mut self, kind: FileKind, mode: u32, (uid, gid): (u32, u32), text: Vec<u8>) -> Entry {
        self.inodes += 1;
        let identity = (0, self.inodes);
        let meta = Meta { kind, mode, uid, gid, size: 0, links: 1, identity, stamp: (0, 0) };
        Entry { meta, text, start: 0, xattrs: Vec::new() }
    }

    /// Puts an entry over what is there. Directories that a layer leaves out are made.
    fn put(&mut self, path: RootPath, entry: Entry) {
        for above in path.ancestors() {
            if self.entries.get(&above).is_none_or(|known| known.meta.kind != FileKind::Dir) {
                let made = self.entry(FileKind::Dir, 0o755, (0, 0), Vec::new());
                self.entries.insert(above, made);
            }
        }
        if entry.meta.kind != FileKind::Dir {
            self.remove_below(&path);
        }
        self.entries.insert(path, entry);
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
        let content = self
            .content
            .into_inner()
            .map_err(|error| Error::unwritable(&std::env::temp_dir().display(), error.into_error()))?;
        Ok(ImageTree::new(self.entries, content))
    }
}

fn below<'m>(entries: &'m BTreeMap<RootPath, Entry>, dir: &'m RootPath) -> impl Iterator<Item = RootPath> + use<'m> {
    entries
        .range(dir.clone()..)
        .map(|(path, _)| path)
        .filter(move |path| *path != dir)
        .take_while(move |path| path.is_within(dir))
        .cloned()
}

fn xattrs<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if let Some(name) = extension.key_bytes().strip_prefix(XATTR.as_bytes()) {
            found.push((name.to_vec(), extension.value_bytes().to_vec()));
        }
    }
    found.sort();
    Ok(found)
}

/// A layer as tar, by what its first bytes say.
fn decompressed<'r>(stored: &'r mut dyn Read) -> io::Result<Box<dyn Read + 'r>> {
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
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}
