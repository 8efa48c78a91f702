//! `/etc/ld.so.cache`: reads both formats and writes the new one (glibc, sysdeps/generic/dl-cache.h, elf/dl-cache.c).

use std::cell::Cell;
use std::cmp::Ordering;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
/// Tag of the extension section with the glibc-hwcaps names.
const TAG_HWCAPS: u32 = 1;
/// If only bit 62 of the upper half is set, the entry is in a glibc-hwcaps subdirectory (`DL_CACHE_HWCAP_EXTENSION`).
const HWCAP_EXTENSION: u64 = 1 << 62;
/// The ISA level is in the low ten bits of the upper half and is ignored in that comparison.
const HWCAP_ISA_LEVEL: u64 = 0x3ff << 32;

/// Maximum total size of strings, a hundred times that of a large cache. Entries may share strings, so a small file
/// could otherwise expand to more than fits in memory.
const MAX_STRINGS: usize = 64 << 20;

/// An entry of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The kind of object and its ABI.
    pub flags: i32,
    /// The soname; `None` if its offset is outside of the file.
    pub key: Option<Vec<u8>>,
    /// The path; `None` if its offset is outside of the file.
    pub value: Option<Vec<u8>>,
    /// Zero, a legacy capability mask, or an extension index.
    pub hwcap: u64,
    /// The glibc-hwcaps name that the entry requires, if any.
    pub level: Option<Vec<u8>>,
}

/// The whole cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// Entries in file order.
    pub entries: Vec<CacheEntry>,
}

/// Reads numbers in the byte order of the loader's machine.
struct Words<'a> {
    bytes: &'a [u8],
    little: bool,
    /// Number of string bytes that may still be read; `None` after the limit was exceeded.
    left: Cell<Option<usize>>,
}

impl<'a> Words<'a> {
    fn new(bytes: &'a [u8], little: bool) -> Self {
        Self { bytes, little, left: Cell::new(Some(MAX_STRINGS)) }
    }

    fn spend(&self, bytes: usize) -> Option<()> {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(bytes)));
        self.left.get().map(|_| ())
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn u64(&self, at: usize) -> Option<u64> {
        let (first, second) = (u64::from(self.u32(at)?), u64::from(self.u32(at + 4)?));
        Some(if self.little { second << 32 | first } else { first << 32 | second })
    }

    fn string(&self, at: usize) -> Option<Vec<u8>> {
        let rest = self.bytes.get(at..)?;
        let rest = &rest[..rest.len().min(self.left.get()?.saturating_add(1))];
        let end = rest.iter().position(|b| *b == 0);
        self.spend(end.unwrap_or(rest.len()))?;
        Some(rest[..end?].to_vec())
    }
}

impl Cache {
    /// Parses a cache; `None` if it is unusable, in which case the loader acts as if it did not exist.
    pub fn parse(bytes: &[u8], little: bool) -> Option<Self> {
        if bytes.starts_with(NEW_MAGIC) {
            return Self::parse_new(bytes, little);
        }
        if !bytes.starts_with(OLD_MAGIC) {
            return None;
        }
        let words = Words::new(bytes, little);
        let count = words.u32(12)? as usize;
        let table = OLD_HEADER.checked_add(count.checked_mul(OLD_ENTRY)?)?;
        // A cache in the compatible format has the new table after the old one.
        let new = table.checked_next_multiple_of(8)?;
        if let Some(rest) = bytes.get(new..).filter(|rest| rest.starts_with(NEW_MAGIC)) {
            return Self::parse_new(rest, little);
        }
        if table > bytes.len() {
            return None;
        }
        let strings = Words::new(&bytes[table..], little);
        let entry = |index: usize| {
            let at = OLD_HEADER + index * OLD_ENTRY;
            Some(CacheEntry {
                flags: words.u32(at)?.cast_signed(),
                key: strings.string(words.u32(at + 4)? as usize),
                value: strings.string(words.u32(at + 8)? as usize),
                hwcap: 0,
                level: None,
            })
        };
        let entries = (0..count).map(entry).collect::<Option<_>>()?;
        strings.left.get().map(|_| Self { entries })
    }

    fn parse_new(bytes: &[u8], little: bool) -> Option<Self> {
        let words = Words::new(bytes, little);
        let count = words.u32(20)? as usize;
        // Low two bits: 0 unspecified, 2 little, 3 big endian (`cache_file_new_matches_endian`).
        let said = bytes.get(28)? & 3;
        if said == 1 || said == 2 && !little || said == 3 && little {
            return None;
        }
        if NEW_HEADER.checked_add(count.checked_mul(NEW_ENTRY)?)? > bytes.len() {
            return None;
        }
        let levels = hwcap_words(&words).unwrap_or_default();
        let entry = |index: usize| {
            let at = NEW_HEADER + index * NEW_ENTRY;
            let hwcap = words.u64(at + 16)?;
            let is_extension = (hwcap >> 32 << 32) & !HWCAP_ISA_LEVEL == HWCAP_EXTENSION;
            let level = is_extension.then(|| levels.get((hwcap & 0xffff_ffff) as usize).cloned()).flatten();
            words.spend(level.as_ref().map_or(0, Vec::len))?;
            Some(CacheEntry {
                flags: words.u32(at)?.cast_signed(),
                key: words.string(words.u32(at + 4)? as usize),
                value: words.string(words.u32(at + 8)? as usize),
                hwcap,
                level,
            })
        };
        let entries = (0..count).map(entry).collect::<Option<_>>()?;
        words.left.get().map(|_| Self { entries })
    }

    /// The entries that match `name`, in the order in which the loader tries them.
    ///
    /// This is a binary search like the loader's (`search_cache`), so for an unsorted table it gives the loader's
    /// result, not a better one.
    pub fn lookup(&self, name: &[u8]) -> &[CacheEntry] {
        let compare = |index: usize| self.entries[index].key.as_deref().map(|key| compare_names(name, key));
        let (mut left, mut right) = (0_isize, self.entries.len().cast_signed() - 1);
        while left <= right {
            let middle = ((left + right) / 2).cast_unsigned();
            match compare(middle) {
                // The loader gives up at an invalid string.
                None => return &[],
                // The table is in descending order.
                Some(Ordering::Less) => left = middle.cast_signed() + 1,
                Some(Ordering::Greater) => right = middle.cast_signed() - 1,
                Some(Ordering::Equal) => {
                    let is_equal = |index: &usize| compare(*index) == Some(Ordering::Equal);
                    let first = (0..middle).rev().take_while(is_equal).last().unwrap_or(middle);
                    let end = (middle..self.entries.len()).take_while(is_equal).last().unwrap_or(middle) + 1;
                    return &self.entries[first..end];
                }
            }
        }
        &[]
    }

    /// Writes a cache in the new format; the entries keep their order, flags and levels.
    pub fn write(entries: &[&CacheEntry], little: bool) -> Vec<u8> {
        let mut levels: Vec<&[u8]> = entries.iter().filter_map(|entry| entry.level.as_deref()).collect();
        levels.sort_unstable();
        levels.dedup();
        let strings_at = NEW_HEADER + entries.len() * NEW_ENTRY;
        let mut strings = Vec::new();
        let mut place = |text: &[u8]| {
            let at = strings_at + strings.len();
            strings.extend_from_slice(text);
            strings.push(0);
            u32::try_from(at).unwrap_or(u32::MAX)
        };
        let level_places: Vec<u32> = levels.iter().map(|level| place(level)).collect();
        let mut rows = Vec::new();
        for entry in entries {
            let key = place(entry.key.as_deref().unwrap_or_default());
            let value = place(entry.value.as_deref().unwrap_or_default());
            let index = entry.level.as_deref().and_then(|level| levels.iter().position(|known| *known == level));
            let hwcap = index.map_or(entry.hwcap, |index| entry.hwcap >> 32 << 32 | index as u64);
            rows.push((entry.flags.cast_unsigned(), key, value, hwcap));
        }
        let mut out = Writer { bytes: NEW_MAGIC.to_vec(), little };
        out.u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        out.u32(u32::try_from(strings.len()).unwrap_or(u32::MAX));
        out.bytes.extend_from_slice(&[if little { 2 } else { 3 }, 0, 0, 0]);
        let extension_at = (strings_at + strings.len()).next_multiple_of(4);
        out.u32(if levels.is_empty() { 0 } else { u32::try_from(extension_at).unwrap_or(0) });
        out.bytes.resize(NEW_HEADER, 0);
        for (flags, key, value, hwcap) in rows {
            out.u32(flags);
            out.u32(key);
            out.u32(value);
            out.u32(0);
            out.u64(hwcap);
        }
        out.bytes.extend_from_slice(&strings);
        if !levels.is_empty() {
            out.bytes.resize(extension_at, 0);
            out.u32(EXTENSION_MAGIC);
            out.u32(1);
            out.u32(TAG_HWCAPS);
            out.u32(0);
            // The section follows its 16-byte row in the directory, which has an 8-byte header.
            out.u32(u32::try_from(extension_at + 8 + 16).unwrap_or(0));
            out.u32(u32::try_from(level_places.len() * 4).unwrap_or(0));
            for at in level_places {
                out.u32(at);
            }
        }
        out.bytes
    }
}

struct Writer {
    bytes: Vec<u8>,
    little: bool,
}

impl Writer {
    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&if self.little { value.to_le_bytes() } else { value.to_be_bytes() });
    }
}

/// The glibc-hwcaps names in the extension directory.
fn hwcap_words(words: &Words<'_>) -> Option<Vec<Vec<u8>>> {
    let directory = words.u32(32)? as usize;
    if directory == 0 || !directory.is_multiple_of(4) || words.u32(directory)? != EXTENSION_MAGIC {
        return None;
    }
    let count = words.u32(directory + 4)? as usize;
    for index in 0..count.min(words.bytes.len() / 16) {
        let row = directory + 8 + index * 16;
        if words.u32(row)? == TAG_HWCAPS {
            let (offset, size) = (words.u32(row + 8)? as usize, words.u32(row + 12)? as usize);
            let text = |index: usize| words.string(words.u32(offset + index * 4)? as usize);
            return (0..(size / 4).min(words.bytes.len() / 4)).map(text).collect();
        }
    }
    None
}

/// The sort order of the cache: byte by byte, except that digits compare as numbers, so that `libn.so.1` equals
/// `libn.so.01` (`_dl_cache_libcmp`). Numbers wrap like the loader's `int`.
fn compare_names(first: &[u8], second: &[u8]) -> Ordering {
    let (mut i, mut j) = (0, 0);
    let byte = |text: &[u8], at: usize| text.get(at).copied().unwrap_or(0);
    loop {
        let (a, b) = (byte(first, i), byte(second, j));
        match (a.is_ascii_digit(), b.is_ascii_digit()) {
            (true, true) => {
                let number = |text: &[u8], at: &mut usize| {
                    let mut value = 0_i32;
                    while byte(text, *at).is_ascii_digit() {
                        value = value.wrapping_mul(10).wrapping_add(i32::from(byte(text, *at) - b'0'));
                        *at += 1;
                    }
                    value
                };
                let (x, y) = (number(first, &mut i), number(second, &mut j));
                if x != y {
                    return x.cmp(&y);
                }
            }
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) if a != b => return a.cmp(&b),
            (false, false) if a == 0 => return Ordering::Equal,
            (false, false) => (i, j) = (i + 1, j + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, hwcap: u64, level: Option<&str>) -> CacheEntry {
        let value = Some(format!("/lib/{key}").into_bytes());
        let level = level.map(|level| level.as_bytes().to_vec());
        CacheEntry { flags: 0x303, key: Some(key.into()), value, hwcap, level }
    }

    #[test]
    fn digit_runs_compare_as_numbers() {
        assert_eq!(compare_names(b"libn.so.1", b"libn.so.01"), Ordering::Equal);
        assert_eq!(compare_names(b"libn.so.10", b"libn.so.9"), Ordering::Greater);
        assert_eq!(compare_names(b"liba.so", b"libb.so"), Ordering::Less);
        assert_eq!(compare_names(b"lib1", b"liba"), Ordering::Greater);
    }

    #[test]
    fn what_is_written_is_read_again_in_both_byte_orders() {
        let entries = [
            entry("libz.so.1", 0, None),
            entry("libn.so.10", HWCAP_EXTENSION | 3 << 32, Some("x86-64-v3")),
            entry("libn.so.10", 0, None),
            entry("liba.so", 0, None),
        ];
        for little in [true, false] {
            let bytes = Cache::write(&entries.iter().collect::<Vec<_>>(), little);
            let cache = Cache::parse(&bytes, little).expect("a cache");
            assert_eq!(cache.entries, entries);
            assert_eq!(cache.lookup(b"libn.so.010"), &entries[1..3]);
            assert_eq!(cache.lookup(b"libz.so.1"), &entries[..1]);
            assert_eq!(cache.lookup(b"libq.so"), &[]);
            assert_eq!(Cache::parse(&bytes, !little), None);
            assert_eq!(Cache::parse(&bytes[..60], little), None);
        }
    }

    #[test]
    fn damaged_caches_are_refused_or_read_without_panic() {
        let bytes = Cache::write(&[&entry("liba.so", HWCAP_EXTENSION, Some("x86-64-v2"))], true);
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Some(cache) = Cache::parse(&damaged, true) {
                    cache.lookup(b"liba.so");
                }
            }
            assert!(Cache::parse(&bytes[..at], true).is_none_or(|cache| cache.entries.len() <= 1));
        }
    }

    #[test]
    fn strings_that_overlap_are_bounded_in_all() {
        // Every key is a suffix of one long string, with or without a terminator.
        for end in [0, b'x'] {
            let (count, length) = (2000_u32, 1 << 17);
            let start = NEW_HEADER + count as usize * NEW_ENTRY;
            let mut out = Writer { bytes: NEW_MAGIC.to_vec(), little: true };
            out.u32(count);
            out.bytes.resize(NEW_HEADER, 0);
            for index in 0..count {
                for word in [0x303, u32::try_from(start).expect("small") + index, 0, 0, 0, 0] {
                    out.u32(word);
                }
            }
            out.bytes.resize(start + length, b'x');
            out.bytes.push(end);
            assert_eq!(Cache::parse(&out.bytes, true), None);
        }
    }
}
