//! Reads a sequence of records of unknown total length, one page at a time.

use scroll::{Endian, Pread};

use super::{Bytes, Malformed};

/// Number of bytes per read.
const PAGE: usize = 4096;

/// A page of a file, which moves as records are requested.
pub(super) struct Window<'a, B: Bytes + ?Sized> {
    bytes: &'a B,
    endian: Endian,
    /// Number of bytes before the requested offset that are read too.
    back: u64,
    at: u64,
    page: Vec<u8>,
}

impl<'a, B: Bytes + ?Sized> Window<'a, B> {
    pub(super) fn new(bytes: &'a B, little_endian: bool) -> Self {
        let endian = if little_endian { Endian::Little } else { Endian::Big };
        Self { bytes, endian, back: 0, at: 0, page: Vec::new() }
    }

    /// A page centred on the requested offset, because names are not requested in file order.
    pub(super) fn around(bytes: &'a B, little_endian: bool) -> Self {
        Self { back: PAGE as u64 / 2, ..Self::new(bytes, little_endian) }
    }

    /// The bytes from `offset`, at least `length` of them unless the file ends earlier.
    fn from(&mut self, offset: u64, length: usize) -> Result<&[u8], Malformed> {
        let holds = |window: &Self| {
            let into = usize::try_from(offset.checked_sub(window.at)?).ok()?;
            (into.checked_add(length)? <= window.page.len()).then_some(into)
        };
        if let Some(into) = holds(self) {
            return Ok(&self.page[into..]);
        }
        self.at = offset.saturating_sub(self.back);
        let before = usize::try_from(offset - self.at).unwrap_or(0);
        self.page.resize(PAGE.max(before + length), 0);
        let read = self
            .bytes
            .read_at(self.at, &mut self.page)
            .map_err(|error| Malformed::new("unreadable", offset, error.to_string()))?;
        self.page.truncate(read);
        Ok(self.page.get(before..).unwrap_or_default())
    }

    /// Reads a record of `N` bytes.
    pub(super) fn record<const N: usize>(&mut self, offset: u64) -> Result<Record<N>, Malformed> {
        let endian = self.endian;
        let found = self.from(offset, N)?.get(..N).and_then(|bytes| bytes.try_into().ok());
        found
            .map(|bytes| Record { bytes, endian })
            .ok_or_else(|| Malformed::new("truncated", offset, "a table lies past its end"))
    }

    /// Reads the string at `offset`, without its NUL and at most `limit` bytes long.
    pub(super) fn string(&mut self, offset: u64, limit: usize) -> Result<Vec<u8>, Malformed> {
        let mut wanted = 64;
        loop {
            let bytes = self.from(offset, wanted)?;
            if let Some(end) = bytes.iter().take(limit).position(|b| *b == 0) {
                return Ok(bytes[..end].to_vec());
            }
            if bytes.len() < wanted || wanted >= limit {
                return Err(Malformed::new("bad-string", offset, "a name does not end within its string table"));
            }
            wanted = (wanted * 4).min(limit);
        }
    }
}

/// A record of a table.
pub(super) struct Record<const N: usize> {
    bytes: [u8; N],
    endian: Endian,
}

impl<const N: usize> Record<N> {
    pub(super) fn half(&self, at: usize) -> u16 {
        self.bytes.pread_with(at, self.endian).unwrap_or(0)
    }

    pub(super) fn word(&self, at: usize) -> u32 {
        self.bytes.pread_with(at, self.endian).unwrap_or(0)
    }
}
