//! Single-file .NET programs: assemblies and settings appended to the host (dotnet/runtime, src/native/corehost/bundle:
//! `header.h`, `file_entry.h`, `bundle_marker.cpp`).

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// SHA-256 of ".net core bundle". The eight bytes before it are the offset of the header, zero in a host without a
/// bundle.
const SIGNATURE: [u8; 32] = [
    0x8b, 0x12, 0x02, 0xb9, 0x6a, 0x61, 0x20, 0x38, 0x72, 0x7b, 0x93, 0x02, 0x14, 0xd7, 0xa0, 0x32, 0x13, 0xf5, 0xb9,
    0xe6, 0xef, 0xae, 0x33, 0x18, 0xee, 0x3b, 0x2d, 0xce, 0x24, 0xb3, 0x6a, 0xae,
];
/// Number of bytes searched for the signature; no host is larger.
const MAX_HOST: usize = 64 << 20;
const MAX_HEADER: usize = 4 << 20;
const MAX_SETTINGS: usize = 1 << 20;
const MAX_FILES: u32 = 100_000;
/// Header flag, implied for .NET Core 3: the program unpacks all of its files before it starts.
const UNPACKS_ALL: u64 = 1;
/// File type of native libraries, which the system's loader must find on disk.
const NATIVE: u8 = 2;

/// Contents of a single-file program.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bundle {
    /// Its runtimeconfig.json.
    pub(super) settings: Vec<u8>,
    /// Files that the program unpacks before it starts.
    pub(super) unpacked: Vec<String>,
}

/// Reads the bundle of a program; `None` if it has none.
pub(super) fn read(root: &Root, path: &RootPath) -> Result<Option<Bundle>, Error> {
    let host = root.read(path, MAX_HOST)?;
    let Some(at) = memchr::memmem::find(&host, &SIGNATURE).and_then(|at| at.checked_sub(8)) else { return Ok(None) };
    let Some(header) = host.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes) else {
        return Ok(None);
    };
    if header == 0 {
        return Ok(None);
    }
    drop(host);
    let source = root.open_file(path)?;
    let piece = |at: u64, size: usize| -> Result<Vec<u8>, Error> {
        let rest = usize::try_from(source.meta().size.saturating_sub(at)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; size.min(rest)];
        let read = source.read_at(at, &mut bytes).map_err(|error| Error::unreadable(path, error))?;
        bytes.truncate(read);
        Ok(bytes)
    };
    let Some(found) = parse(&piece(header, MAX_HEADER)?) else { return Ok(None) };
    if found.is_cut {
        root.leave_unread(path, format!("files of its bundle after the first {MAX_FILES} are not read"));
    }
    let (at, size) = found.settings;
    let settings = piece(at, usize::try_from(size).unwrap_or(usize::MAX).min(MAX_SETTINGS))?;
    Ok(Some(Bundle { settings, unpacked: found.unpacked }))
}

struct Header {
    settings: (u64, u64),
    unpacked: Vec<String>,
    is_cut: bool,
}

fn parse(bytes: &[u8]) -> Option<Header> {
    let mut at = Cursor { bytes };
    let major = at.u32()?;
    let _minor = at.u32()?;
    let files = at.u32()?;
    let is_cut = files > MAX_FILES;
    at.text()?;
    let (mut settings, mut flags) = ((0, 0), UNPACKS_ALL);
    if major >= 2 {
        at.take(16)?;
        settings = (at.u64()?, at.u64()?);
        flags = at.u64()?;
    }
    let mut unpacked = Vec::new();
    for _ in 0..files.min(MAX_FILES) {
        at.take(if major >= 6 { 24 } else { 16 })?;
        let kind = at.take(1)?[0];
        let name = at.text()?;
        if kind == NATIVE || flags & UNPACKS_ALL != 0 {
            unpacked.push(name);
        }
    }
    Some(Header { settings, unpacked, is_cut })
}

struct Cursor<'b> {
    bytes: &'b [u8],
}

impl<'b> Cursor<'b> {
    fn take(&mut self, size: usize) -> Option<&'b [u8]> {
        let (head, rest) = self.bytes.split_at_checked(size)?;
        self.bytes = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// Reads a string that is preceded by its length, encoded with seven bits per byte.
    fn text(&mut self) -> Option<String> {
        let first = self.take(1)?[0];
        let mut size = usize::from(first & 0x7f);
        if first & 0x80 != 0 {
            size |= usize::from(self.take(1)?[0]) << 7;
        }
        Some(String::from_utf8_lossy(self.take(size)?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_files_are_unpacked_and_cut_headers_are_none() {
        let mut bytes = Vec::new();
        for word in [6_u32, 0, 2] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(b"\x02id");
        for word in [0_u64, 0, 7, 9, 0] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for (kind, name) in [(1, "a.dll"), (NATIVE, "libx.so")] {
            bytes.extend_from_slice(&[0; 24]);
            bytes.push(kind);
            bytes.push(u8::try_from(name.len()).expect("short"));
            bytes.extend_from_slice(name.as_bytes());
        }
        let found = parse(&bytes).expect("a header");
        assert_eq!((found.settings, found.unpacked), ((7, 9), vec!["libx.so".to_owned()]));
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_none(), "{end}");
        }
    }
}
