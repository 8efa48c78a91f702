//! Tar headers. We fill every field ourselves: ustar, with pax records only for values that do not fit (POSIX.1-2017,
//! pax).

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::path::RootPath;
use crate::plan::{Item, ItemKind};

const BLOCK: usize = 512;
/// Maximum value of an 8-byte octal field (uid, gid).
const MAX_ID: u64 = 0o7_777_777;
/// Maximum value of a 12-byte octal field (size).
const MAX_SIZE: u64 = 0o77_777_777_777;
/// Name of every pax header. It is fixed, whereas other tools use a process ID.
const PAX_NAME: &[u8] = b"PaxHeaders/slimroot";

/// The contents of a tar header.
struct Entry<'a> {
    name: Vec<u8>,
    kind: EntryType,
    link: &'a [u8],
    size: u64,
    mode: u32,
    ids: (u64, u64),
    mtime: u64,
    xattrs: &'a [crate::root::Xattr],
}

/// The header blocks of an entry; its contents follow, padded to 512 bytes.
pub(super) fn head_of(path: &RootPath, item: &Item, epoch: u64) -> Vec<u8> {
    let mut name = path.relative().to_vec();
    let (kind, link, size) = match &item.kind {
        ItemKind::Dir => {
            name.push(b'/');
            (EntryType::Directory, &[][..], 0)
        }
        ItemKind::Link(text) => (EntryType::Symlink, text.as_slice(), 0),
        ItemKind::HardLink(first) => (EntryType::Link, first.relative(), 0),
        ItemKind::File(content) => (EntryType::Regular, &[][..], content.size()),
    };
    let ids = (u64::from(item.uid), u64::from(item.gid));
    head(&Entry { name, kind, link, size, mode: item.mode, ids, mtime: epoch, xattrs: &item.xattrs })
}

fn head(entry: &Entry<'_>) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    if !set_name(&mut header, &entry.name) {
        records.push((b"path".to_vec(), entry.name.clone()));
        let short = &entry.name[..entry.name.len().min(100)];
        header.as_old_mut().name[..short.len()].copy_from_slice(short);
    }
    let link_room = header.as_old().linkname.len();
    if entry.link.len() > link_room {
        records.push((b"linkpath".to_vec(), entry.link.to_vec()));
    }
    let short = &entry.link[..entry.link.len().min(link_room)];
    header.as_old_mut().linkname[..short.len()].copy_from_slice(short);
    let mut fit = |word: &[u8], value: u64, max: u64| {
        if value <= max {
            return value;
        }
        records.push((word.to_vec(), value.to_string().into_bytes()));
        0
    };
    header.set_uid(fit(b"uid", entry.ids.0, MAX_ID));
    header.set_gid(fit(b"gid", entry.ids.1, MAX_ID));
    header.set_size(fit(b"size", entry.size, MAX_SIZE));
    header.set_mode(entry.mode & 0o7777);
    header.set_mtime(fit(b"mtime", entry.mtime, MAX_SIZE));
    header.set_entry_type(entry.kind);
    // A ustar header always has these two fields, so setting them cannot fail.
    let _ = header.set_device_major(0);
    let _ = header.set_device_minor(0);
    header.set_cksum();
    for (name, value) in entry.xattrs {
        records.push(([b"SCHILY.xattr.", name.as_slice()].concat(), value.clone()));
    }
    records.sort();
    let mut out = Vec::new();
    if !records.is_empty() {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| pax_record(key, value)).collect();
        let mut pax = Header::new_ustar();
        pax.as_old_mut().name[..PAX_NAME.len()].copy_from_slice(PAX_NAME);
        pax.set_size(body.len() as u64);
        pax.set_mode(0o644);
        pax.set_mtime(0);
        pax.set_uid(0);
        pax.set_gid(0);
        pax.set_entry_type(EntryType::XHeader);
        let _ = pax.set_device_major(0);
        let _ = pax.set_device_minor(0);
        pax.set_cksum();
        out.extend_from_slice(pax.as_bytes());
        out.extend_from_slice(&body);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend_from_slice(header.as_bytes());
    out
}

/// Splits a name into the name and prefix fields; returns false if it does not fit.
fn set_name(header: &mut Header, name: &[u8]) -> bool {
    let Some(ustar) = header.as_ustar_mut() else { return false };
    let (name_room, prefix_room) = (ustar.name.len(), ustar.prefix.len());
    if name.len() <= name_room {
        ustar.name[..name.len()].copy_from_slice(name);
        return true;
    }
    // The slash between prefix and name is not stored. Split at the first slash that leaves a short enough name.
    let fits = |at: &usize| {
        name[*at] == b'/' && *at > 0 && *at <= prefix_room && name.len() - at - 1 <= name_room && at + 1 < name.len()
    };
    let Some(cut) = (0..name.len()).find(fits) else { return false };
    ustar.prefix[..cut].copy_from_slice(&name[..cut]);
    ustar.name[..name.len() - cut - 1].copy_from_slice(&name[cut + 1..]);
    true
}

/// `LENGTH KEY=VALUE\n`; LENGTH includes itself.
fn pax_record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// Zero bytes that pad contents to the next header.
pub(super) fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over == 0 { &[] } else { &ZEROS[over..] }
}

/// The two zero blocks that end an archive.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Writes a small archive of plain files by the same rules as a layer; used for archived image layouts.
pub struct ArchiveWriter<W> {
    inner: W,
    epoch: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts an archive in which all times are `epoch`.
    pub fn new(inner: W, epoch: u64) -> Self {
        Self { inner, epoch }
    }

    /// Adds a directory.
    ///
    /// # Errors
    /// Any write error.
    pub fn dir(&mut self, name: &str) -> io::Result<()> {
        self.entry(format!("{name}/").into_bytes(), EntryType::Directory, 0o755, 0)
    }

    /// Adds a file of `size` bytes.
    ///
    /// # Errors
    /// Any I/O error, and contents of another size.
    pub fn file(&mut self, name: &str, size: u64, mut content: impl io::Read) -> io::Result<()> {
        self.entry(name.as_bytes().to_vec(), EntryType::Regular, 0o644, size)?;
        if io::copy(&mut content, &mut self.inner)? != size {
            return Err(io::Error::other(format!("{name} changed its size")));
        }
        self.inner.write_all(padding(size))
    }

    fn entry(&mut self, name: Vec<u8>, kind: EntryType, mode: u32, size: u64) -> io::Result<()> {
        let entry = Entry { name, kind, link: &[], size, mode, ids: (0, 0), mtime: self.epoch, xattrs: &[] };
        self.inner.write_all(&head(&entry))
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// Any write error.
    pub fn finish(mut self) -> io::Result<W> {
        self.inner.write_all(&END)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}
