//! Berkeley DB, the database of rpm before 4.16: `Packages` is a hash table whose values are headers (Oracle's
//! db_page.h). Numbers are in the byte order of the machine that wrote it.

use super::store::{File, MAX_HEADER, Store, Take, long, short};
use crate::package::MAX_PACKAGES;
use crate::root::Source;

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

/// An open database.
pub(super) struct Berkeley {
    file: File,
    page: usize,
}

/// The place of a value.
enum Value {
    /// Offset and length.
    OnPage(usize, usize),
    /// The first page of a chain, and the length of the value.
    OffPage(usize, usize),
}

impl Berkeley {
    /// Opens a database; `None` if the format is invalid.
    pub(super) fn open(source: Box<dyn Source>) -> Option<Self> {
        let mut file = File::new(source)?;
        let head = file.bytes(0, 26)?;
        let magic: [u8; 4] = head[12..16].try_into().ok()?;
        file.is_big = u32::from_be_bytes(magic) == HASH_MAGIC;
        let page = long(&head, 20, file.is_big)?;
        let is_encrypted = head[24] != 0;
        if (!file.is_big && u32::from_le_bytes(magic) != HASH_MAGIC) || !(512..=65536).contains(&page) || is_encrypted {
            return None;
        }
        Some(Self { file, page })
    }

    /// Numbers and places of all values; pages have hash order.
    fn values(&self) -> Option<Vec<(usize, Value)>> {
        let mut found = Vec::new();
        let mut bytes = vec![0; self.page];
        for start in (self.page..self.file.size).step_by(self.page) {
            bytes.truncate(self.page.min(self.file.size - start));
            self.file.fill(start, &mut bytes)?;
            if matches!(bytes.get(25)?, &(HASH_PAGE | HASH_PAGE_UNSORTED)) {
                self.pairs(start, &bytes, &mut found)?;
            }
        }
        found.sort_by_key(|(number, _)| *number);
        Some(found)
    }

    /// Adds the keys and values of a page.
    fn pairs(&self, start: usize, page: &[u8], found: &mut Vec<(usize, Value)>) -> Option<()> {
        let is_big = self.file.is_big;
        let offset = |at: usize| short(page, PAGE_HEAD + 2 * at, is_big);
        // Values are stored from the end of the page backwards; each ends where the previous one begins.
        let mut end = self.page;
        for pair in 0..short(page, 20, is_big)? / 2 {
            let (key, value) = (offset(2 * pair)?, offset(2 * pair + 1)?);
            let is_counter = page.get(key + 1..end)? == COUNTER;
            let number = if is_counter { 0 } else { long(page, key + 1, is_big)? };
            let place = match *page.get(value)? {
                OFF_PAGE => Value::OffPage(long(page, value + 4, is_big)?, long(page, value + 8, is_big)?),
                ON_PAGE => Value::OnPage(start + value + 1, key.checked_sub(value + 1)?),
                _ if is_counter => Value::OnPage(0, 0),
                _ => return None,
            };
            if !is_counter {
                found.push((number, place));
            }
            if found.len() > MAX_PACKAGES {
                return None;
            }
            end = value;
        }
        Some(())
    }

    /// Reads a value in separate pages.
    fn chain(&self, first: usize, length: usize) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut number = first;
        while value.len() < length {
            let start = number.checked_mul(self.page)?;
            let head = self.file.bytes(start, PAGE_HEAD)?;
            if number == 0 || head[25] != OVERFLOW_PAGE {
                return None;
            }
            let held = short(&head, 22, self.file.is_big).filter(|held| *held != 0)?;
            value.extend(self.file.bytes(start + PAGE_HEAD, held.min(length - value.len()))?);
            number = long(&head, 16, self.file.is_big)?;
        }
        Some(value)
    }
}

impl Store for Berkeley {
    fn each(&self, take: Take<'_>) -> Option<()> {
        // Values share no pages, so together they are at most as long as the file. This bounds the work on damaged files.
        let mut left = self.file.size;
        for (number, place) in self.values()? {
            let (Value::OnPage(_, length) | Value::OffPage(_, length)) = place;
            left = left.checked_sub(length)?;
            if length > MAX_HEADER {
                return None;
            }
            let bytes = match place {
                Value::OnPage(at, length) => self.file.bytes(at, length)?,
                Value::OffPage(first, length) => self.chain(first, length)?,
            };
            take(number as u64, &bytes)?;
        }
        Some(())
    }
}
