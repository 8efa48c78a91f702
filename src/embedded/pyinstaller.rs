//! PyInstaller's one-file programs: an archive behind the boot loader (PyInstaller/archive/writers.py, `CArchiveWriter`).

use std::io::{Read, Seek, SeekFrom};

use flate2::read::ZlibDecoder;

use super::{Content, Embedded, MAX_ALL};

/// The record at the end of the archive: a magic number; the length of the archive, the offset and length of its table,
/// the version of Python, all big-endian; the name of Python's library.
const MAGIC: &[u8] = b"MEI\x0c\x0b\x0a\x0b\x0e";
const RECORD: usize = 88;
/// The archive is a section of the ELF file, so the section headers come after it.
const MAX_BEHIND: usize = 1 << 20;
/// Maximum size of the table.
const MAX_TABLE: u32 = 64 << 20;
/// The numbers in front of an entry's name, and the letter of its type.
const FIXED: usize = 18;

pub(super) fn read(content: &mut Content<'_>) -> Option<Embedded> {
    let size = content.size();
    let tail = piece(content, size.saturating_sub(MAX_BEHIND as u64), MAX_BEHIND.min(usize::try_from(size).ok()?))?;
    let at = memchr::memmem::rfind(&tail, MAGIC)?;
    let record = tail.get(at..at + RECORD)?;
    let end = size - tail.len() as u64 + at as u64 + RECORD as u64;
    let start = end.checked_sub(u64::from(number(record, 8)?))?;
    let (offset, length) = (number(record, 12)?, number(record, 16)?);
    if length > MAX_TABLE {
        let cut = vec![format!("the table of its archive ({length} bytes)")];
        return Some(Embedded { cut, ..Embedded::default() });
    }
    if start + u64::from(offset) + u64::from(length) > size {
        return None;
    }
    let table = piece(content, start + u64::from(offset), usize::try_from(length).ok()?)?;
    let (mut found, mut left) = (Embedded::default(), MAX_ALL);
    let mut rest = table.as_slice();
    while let Some(length) = number(rest, 0).and_then(|length| usize::try_from(length).ok()) {
        let Some(entry) = rest.get(..length).filter(|entry| entry.len() > FIXED) else { break };
        rest = &rest[length..];
        let (Some(at), Some(packed), Some(size)) = (number(entry, 4), number(entry, 8), number(entry, 12)) else {
            break;
        };
        let name = String::from_utf8_lossy(&entry[FIXED..]);
        let name = name.trim_end_matches('\0');
        content.seek(SeekFrom::Start(start + u64::from(at))).ok()?;
        let member = content.by_ref().take(u64::from(packed));
        // A damaged member cannot be unpacked by the program either.
        let _ = match entry[FIXED - 2] {
            0 => found.add(name, u64::from(size), &mut left, member),
            _ => found.add(name, u64::from(size), &mut left, ZlibDecoder::new(member)),
        };
        if content.left == 0 {
            found.cut.push("… (more bytes than are read)".to_owned());
            break;
        }
    }
    Some(found)
}

fn piece(content: &mut Content<'_>, at: u64, length: usize) -> Option<Vec<u8>> {
    content.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = vec![0; length];
    content.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}
