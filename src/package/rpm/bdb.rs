//! Berkeley DB, the database of rpm before 4.16: `Packages` is a hash table whose values are headers (Oracle's
//! db_page.h). Numbers are in the byte order of the machine that wrote it.

const HASH_MAGIC: u32 = 0x0006_1561;
const HASH_PAGE_UNSORTED: u8 = 2;
const HASH_PAGE: u8 = 13;
const OVERFLOW_PAGE: u8 = 7;
/// Types of values: on the page itself, or in a chain of separate pages.
const ON_PAGE: u8 = 1;
const OFF_PAGE: u8 = 3;
const PAGE_HEAD: usize = 26;
/// The key of the counter for new packages.
const COUNTER: &[u8] = &[0; 4];

struct File<'b> {
    bytes: &'b [u8],
    page: usize,
    is_big: bool,
}

/// The headers of a database; `None` if the format is invalid.
pub(super) fn headers(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let magic: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
    let is_big = u32::from_be_bytes(magic) == HASH_MAGIC;
    let file = File { bytes, page: 0, is_big };
    let page = file.long(20)?;
    let is_encrypted = *bytes.get(24)? != 0;
    if (!is_big && u32::from_le_bytes(magic) != HASH_MAGIC) || !(512..=65536).contains(&page) || is_encrypted {
        return None;
    }
    let file = File { page, ..file };
    let mut found = Vec::new();
    // Values share no pages, so together they are at most as long as the file. This bounds the work on damaged files.
    let mut left = bytes.len();
    for start in (page..bytes.len()).step_by(page) {
        if matches!(bytes.get(start + 25)?, &(HASH_PAGE | HASH_PAGE_UNSORTED)) {
            file.pairs(start, &mut found, &mut left)?;
        }
    }
    // Pages have hash order.
    found.sort();
    Some(found.into_iter().map(|(_, header)| header).collect())
}

impl File<'_> {
    fn long(&self, at: usize) -> Option<usize> {
        let word = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(if self.is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }).ok()
    }

    fn short(&self, at: usize) -> Option<usize> {
        let word = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(usize::from(if self.is_big { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) }))
    }

    /// Adds the keys and values of a page.
    fn pairs(&self, start: usize, found: &mut Vec<(usize, Vec<u8>)>, left: &mut usize) -> Option<()> {
        let offset = |at: usize| self.short(start + PAGE_HEAD + 2 * at);
        // Values are stored from the end of the page backwards; each ends where the previous one begins.
        let mut end = self.page;
        for pair in 0..self.short(start + 20)? / 2 {
            let (key, value) = (offset(2 * pair)?, offset(2 * pair + 1)?);
            let is_counter = self.bytes.get(start + key + 1..start + end)? == COUNTER;
            let number = if is_counter { 0 } else { self.long(start + key + 1)? };
            match *self.bytes.get(start + value)? {
                _ if is_counter => {}
                OFF_PAGE => {
                    let length = self.long(start + value + 8)?;
                    *left = left.checked_sub(length)?;
                    found.push((number, self.chain(self.long(start + value + 4)?, length)?));
                }
                ON_PAGE => found.push((number, self.bytes.get(start + value + 1..start + key)?.to_vec())),
                _ => return None,
            }
            end = value;
        }
        Some(())
    }

    /// Reads a value in separate pages.
    fn chain(&self, first: usize, length: usize) -> Option<Vec<u8>> {
        if length > self.bytes.len() {
            return None;
        }
        let mut value = Vec::with_capacity(length);
        let mut number = first;
        while value.len() < length {
            let start = number.checked_mul(self.page)?;
            if number == 0 || *self.bytes.get(start + 25)? != OVERFLOW_PAGE {
                return None;
            }
            let held = self.short(start + 22)?;
            if held == 0 {
                return None;
            }
            let from = start + PAGE_HEAD;
            value.extend_from_slice(self.bytes.get(from..from + held.min(length - value.len()))?);
            number = self.long(start + 16)?;
        }
        Some(value)
    }
}
