//! Reads untrusted tar archives (POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format"). Every length is checked before
//! memory is allocated, every number before it is converted, and messages quote no bytes of the archive: a file that is
//! not an archive may contain secrets.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use tar::{EntryType, Header};

use crate::root::Xattr;

const BLOCK: u64 = 512;
/// Maximum size of an extended header, with long names and attributes.
const MAX_EXTENDED: u64 = 1 << 20;
/// Maximum length of a name without the terminating NUL (PATH_MAX), and of one component (NAME_MAX).
const MAX_NAME: usize = 4095;
const MAX_PART: usize = 255;
/// Maximum size of an extended attribute (xattr(7), XATTR_SIZE_MAX).
const MAX_VALUE: usize = 64 << 10;
/// Maximum owner ID: the next value is -1, which chown(2) interprets as "unchanged".
const MAX_OWNER: u64 = u32::MAX as u64 - 1;
/// Maximum number of segments of a sparse file.
const MAX_PIECES: usize = 1 << 16;
/// Maximum padding after the end: GNU tar pads to a record, which --blocking-factor can make several megabytes long.
const MAX_PADDING: u64 = 16 << 20;
/// Prefix of extended attributes in pax records (star's SCHILY extension).
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Why reading an archive stopped.
#[derive(Debug)]
pub(super) enum Fault {
    /// A read or decompression error.
    Io(io::Error),
    /// The archive is not supported or not valid.
    Says(&'static str),
    /// The owner ID is out of range.
    Owner,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Says("it is truncated") } else { Self::Io(error) }
    }
}

/// A source of archive bytes.
pub(super) trait Input: Read {
    /// Returns the number of bytes that were read or skipped.
    fn position(&self) -> u64;

    /// Skips bytes.
    ///
    /// # Errors
    /// Any I/O error, and an early end.
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        if io::copy(&mut self.take(bytes), &mut io::sink())? < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// An entry of an archive.
pub(super) struct TarEntry {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) kind: EntryType,
    /// Permission bits including set-uid, set-gid and sticky: `07777`.
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    /// Size of the unpacked file.
    pub(super) size: u64,
    pub(super) xattrs: Arc<[Xattr]>,
    /// Offset and length of each stored segment, if the file has holes.
    pub(super) pieces: Option<Vec<(u64, u64)>>,
}

/// Reads an archive entry by entry.
pub(super) struct TarReader<R> {
    input: R,
    /// Unread bytes of the current entry, and the padding of its last block.
    left: u64,
    padding: u64,
    is_ended: bool,
}

/// Values from extended headers for the next entry.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<R: Input> TarReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, is_ended: false }
    }

    /// The input, for its position.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// The next entry; skips unread contents of the previous one.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn entry(&mut self) -> Result<Option<TarEntry>, Fault> {
        let mut extended = Extended::default();
        let mut extended_bytes = 0;
        while let Some(header) = self.header()? {
            let kind = header.entry_type();
            let is_extended = kind.is_pax_local_extensions() || kind.is_gnu_longname() || kind.is_gnu_longlink();
            if !is_extended {
                return self.described(&header, extended).map(Some);
            }
            let size = number(&header.as_old().size)?;
            extended_bytes += size;
            if extended_bytes > MAX_EXTENDED {
                return Err(Fault::Says("an extended header is larger than 1 MiB"));
            }
            self.begin(size)?;
            let mut bytes = Vec::new();
            self.read_to_end(&mut bytes)?;
            if self.left > 0 {
                return Err(Fault::Says("it is truncated"));
            }
            if kind.is_pax_local_extensions() {
                extended.add(&bytes)?;
            } else {
                let text = bytes.split(|b| *b == 0).next().unwrap_or_default().to_vec();
                *(if kind.is_gnu_longname() { &mut extended.name } else { &mut extended.link }) = Some(text);
            }
        }
        Ok(None)
    }

    /// Reads the padding up to the end of the input.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        let read = io::copy(&mut (&mut self.input).take(MAX_PADDING + 1), &mut io::sink())?;
        if read > MAX_PADDING {
            return Err(Fault::Says("more than 16 MiB follow its end"));
        }
        Ok(())
    }

    /// The next header; `None` at the end, which is a zero block or the end of the input.
    fn header(&mut self) -> Result<Option<Header>, Fault> {
        if self.is_ended {
            return Ok(None);
        }
        let rest = self.left.checked_add(self.padding).ok_or(Fault::Says("an entry is too large"))?;
        self.input.skip(rest)?;
        (self.left, self.padding) = (0, 0);
        let Some(header) = self.block()? else {
            self.is_ended = true;
            return Ok(None);
        };
        if header.as_bytes().iter().all(|b| *b == 0) {
            self.is_ended = true;
            return Ok(None);
        }
        let field = 148..156;
        let bytes = header.as_bytes().iter().enumerate();
        let sum: u64 = bytes.map(|(at, b)| if field.contains(&at) { 32 } else { u64::from(*b) }).sum();
        if number(&header.as_old().cksum).ok() != Some(sum) {
            return Err(Fault::Says("it is not a tar archive, or damaged: the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    fn block(&mut self) -> Result<Option<Header>, Fault> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut filled = 0;
        while filled < block.len() {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(Fault::Says("it is truncated")),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(header))
    }

    fn begin(&mut self, size: u64) -> Result<(), Fault> {
        self.left = size;
        self.padding = size.checked_next_multiple_of(BLOCK).ok_or(Fault::Says("an entry is too large"))? - size;
        Ok(())
    }

    fn described(&mut self, header: &Header, extended: Extended) -> Result<TarEntry, Fault> {
        let old = header.as_old();
        let stored = extended.size.map_or_else(|| number(&old.size), Ok)?;
        let name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = extended.link.or_else(|| header.link_name_bytes().map(|name| name.into_owned())).unwrap_or_default();
        let mut kind = header.entry_type();
        if kind.is_file() && name.ends_with(b"/") {
            // The oldest archives mark directories with a trailing slash.
            kind = EntryType::Directory;
        }
        if name.len() > MAX_NAME || link.len() > MAX_NAME {
            return Err(Fault::Says(
                "a name or the text of a link is longer than 4095 bytes, which Linux does not \
                                    permit",
            ));
        }
        if name.split(|b| *b == b'/').any(|part| part.len() > MAX_PART) {
            return Err(Fault::Says("a part of a name is longer than 255 bytes, which Linux does not permit"));
        }
        // Links and directories have no contents, whatever size their headers give (POSIX.1-2017, pax, "size").
        let has_content = !(kind.is_hard_link()
            || kind.is_symlink()
            || kind.is_dir()
            || kind.is_fifo()
            || kind.is_character_special()
            || kind.is_block_special());
        self.begin(if has_content { stored } else { 0 })?;
        let (size, pieces) = if kind.is_gnu_sparse() {
            let (size, pieces) = self.sparse(header, stored)?;
            (size, Some(pieces))
        } else {
            (self.left, None)
        };
        Ok(TarEntry {
            name,
            link,
            kind,
            mode: u32::try_from(number(&old.mode)? & 0o7777).unwrap_or_default(),
            owner: (owner(extended.uid, &old.uid)?, owner(extended.gid, &old.gid)?),
            size,
            xattrs: extended.xattrs.into_iter().collect(),
            pieces,
        })
    }

    /// The size and segments of a sparse file in old GNU format. Extension headers precede its contents.
    fn sparse(&mut self, header: &Header, stored: u64) -> Result<(u64, Vec<(u64, u64)>), Fault> {
        const BAD: Fault = Fault::Says("the map of a sparse file contradicts itself");
        let gnu = header.as_gnu().ok_or(BAD)?;
        let size = number(&gnu.realsize)?;
        let mut pieces = Vec::new();
        let (mut end, mut sum) = (0_u64, 0_u64);
        let mut add = |offset: &[u8], length: &[u8]| -> Result<(), Fault> {
            // Unused fields are empty.
            if offset[0] == 0 || length[0] == 0 {
                return Ok(());
            }
            let (offset, length) = (number(offset)?, number(length)?);
            let after = offset.checked_add(length).filter(|after| *after <= size).ok_or(BAD)?;
            if offset < end || pieces.len() == MAX_PIECES {
                return Err(BAD);
            }
            end = after;
            sum += length;
            if length > 0 {
                pieces.push((offset, length));
            }
            Ok(())
        };
        for piece in &gnu.sparse {
            add(&piece.offset, &piece.numbytes)?;
        }
        let mut has_more = gnu.is_extended();
        while has_more {
            let block = self.block()?.ok_or(BAD)?;
            let bytes = block.as_bytes();
            for piece in bytes[..504].chunks_exact(24) {
                add(&piece[..12], &piece[12..])?;
            }
            has_more = bytes[504] == 1;
        }
        if sum == stored { Ok((size, pieces)) } else { Err(BAD) }
    }
}

impl<R: Read> Read for TarReader<R> {
    /// Reads contents of the current entry.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.input.read(&mut buffer[..wanted])?;
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl Extended {
    /// Parses the records of a pax header: `LENGTH KEY=VALUE\n`; LENGTH includes itself.
    fn add(&mut self, mut records: &[u8]) -> Result<(), Fault> {
        const BAD: Fault = Fault::Says("an extended header is damaged");
        while records.first().is_some_and(|b| *b != 0) {
            let blank = records.iter().take(20).position(|b| *b == b' ').ok_or(BAD)?;
            let length = decimal(&records[..blank]).and_then(|length| usize::try_from(length).ok()).ok_or(BAD)?;
            let record = records.get(blank + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or(BAD)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or(BAD)?;
            self.record(&record[..equals], &record[equals + 1..])?;
            records = &records[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let number = || decimal(value).ok_or(Fault::Says("an extended header has an invalid number"));
        match key {
            // An empty value means that the value in the header applies.
            b"path" | b"linkpath" | b"size" | b"uid" | b"gid" if value.is_empty() => {}
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"uid" => self.uid = Some(decimal(value).ok_or(Fault::Owner)?),
            b"gid" => self.gid = Some(decimal(value).ok_or(Fault::Owner)?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(Fault::Says("it contains a sparse file in pax format, which slimroot does not read"));
            }
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    if name.is_empty() || name.len() > MAX_PART || name.contains(&0) || value.len() > MAX_VALUE {
                        return Err(Fault::Says("an extended attribute is larger than Linux permits"));
                    }
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

fn owner(extended: Option<u64>, field: &[u8]) -> Result<u32, Fault> {
    let id = match extended {
        Some(id) => id,
        None if field[0] & 0x80 != 0 => number(field).map_err(|_| Fault::Owner)?,
        None => number(field)?,
    };
    u32::try_from(id).ok().filter(|id| u64::from(*id) <= MAX_OWNER).ok_or(Fault::Owner)
}

/// Parses a number in a header: octal digits between blanks and NULs, or bytes with the highest bit set (GNU tar).
fn number(field: &[u8]) -> Result<u64, Fault> {
    const BAD: Fault = Fault::Says("it is not a tar archive, or damaged: a header has an invalid number");
    if let [first, rest @ ..] = field
        && first & 0x80 != 0
    {
        // The next bit is the sign; sizes and owners are never negative.
        if first & 0x40 != 0 {
            return Err(BAD);
        }
        let bytes = std::iter::once(first & 0x3f).chain(rest.iter().copied());
        return bytes.into_iter().try_fold(0_u64, |sum, byte| {
            let shifted = sum.checked_mul(256).ok_or(BAD)?;
            Ok(shifted | u64::from(byte))
        });
    }
    let text = field.trim_ascii_start();
    let end = text.iter().position(|b| matches!(b, 0 | b' ')).unwrap_or(text.len());
    text[..end].iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8).ok_or(BAD)?;
        Ok(sum.checked_mul(8).ok_or(BAD)? | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(number(b"0000644\0").ok(), Some(0o644));
        assert_eq!(number(b"   644 \0").ok(), Some(0o644));
        assert_eq!(number(b"\0\0\0\0").ok(), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).ok(), None);
        assert_eq!(number(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).ok(), Some(0xffff_ffff));
        assert_eq!(number(&[0xff; 8]).ok(), None);
        assert_eq!(number(b"8").ok(), None);
        assert_eq!(number(b"-1").ok(), None);
    }

    #[test]
    fn owners_stay_below_minus_one() {
        assert_eq!(owner(Some(4_294_967_294), b"0").ok(), Some(4_294_967_294));
        for id in [4_294_967_295, 4_294_967_296, 1 << 33, u64::MAX] {
            assert!(matches!(owner(Some(id), b"0"), Err(Fault::Owner)), "{id}");
        }
    }
}
