//! Texts in the loaded segments of a program, as its code and data refer to them. C ends a text with a zero. Go and Rust
//! keep the length of a text beside its address: in a pair in the data, in a relocation, or in the instruction after
//! the one that loads the address. Sections that are not loaded, such as those for debuggers, do not count.

use std::collections::BTreeSet;

use crate::elf::{Class, ElfObject};
use crate::error::Error;
use crate::loader::Objects;
use crate::path::RootPath;
use crate::root::Root;

/// Maximum size of the loaded segments of a program, and maximum length of its texts and of a name, and
/// maximum number of texts.
const MAX_IMAGE: u64 = 256 << 20;
const MAX_LENGTH: usize = 1024;
const MAX_NAME: usize = 128;
const MAX_TEXTS: usize = 1 << 20;
/// How far after the address its length is looked for, in bytes of code.
const MAX_DISTANCE: usize = 24;
/// PF_X.
const EXECUTABLE: u32 = 1;
/// Machines and their relocations of type RELATIVE (System V ABI of each; EM_X86_64, EM_AARCH64).
const X86_64: u16 = 62;
const RELATIVE: [(u16, u64); 2] = [(X86_64, 8), (183, 1027)];

/// A loaded segment with its bytes.
struct Part {
    address: u64,
    is_code: bool,
    bytes: Vec<u8>,
}

/// The texts of a program that may be names or command lines: printable ASCII of at least two letters.
///
/// # Errors
/// `unreadable`.
pub(super) fn texts(root: &Root, objects: &Objects<'_>, file: &RootPath) -> Result<BTreeSet<String>, Error> {
    let read = objects.read(file)?;
    let Ok(elf) = &read.elf else { return Ok(BTreeSet::new()) };
    if elf.segments.iter().map(|segment| segment.size).fold(0, u64::saturating_add) > MAX_IMAGE {
        root.leave_unread(file, "it is too large to be searched for the commands that it contains");
        return Ok(BTreeSet::new());
    }
    let source = root.open_file(file)?;
    let size = source.meta().size;
    let mut image = Image { parts: Vec::new(), found: BTreeSet::new() };
    for segment in &elf.segments {
        let length = segment.size.min(size.saturating_sub(segment.offset));
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let got = source.read_at(segment.offset, &mut bytes).map_err(|error| Error::unreadable(file, error))?;
        bytes.truncate(got);
        image.parts.push(Part { address: segment.address, is_code: segment.flags & EXECUTABLE != 0, bytes });
    }
    image.zero_ended();
    if elf.target.class == Class::Elf64 && elf.target.little_endian {
        image.pairs();
        image.relocated(elf, file, root)?;
        if elf.target.machine == X86_64 {
            image.loaded_by_code();
        }
    }
    Ok(image.found)
}

struct Image {
    parts: Vec<Part>,
    found: BTreeSet<String>,
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn is_text(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic() || byte == b'\n' || byte == b'\t'
}

/// True for text that may be the name of a program or a command line.
fn may_be_command(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/".contains(byte);
    let is_begin = text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b"/[:_".contains(byte));
    match memchr::memchr(b' ', text) {
        Some(_) => is_begin && text.iter().any(|byte| b"-|&;<>'\"/%$".contains(byte)),
        None => is_begin && text.len() <= MAX_NAME && text.iter().all(is_part),
    }
}

impl Image {
    fn keep(&mut self, text: &[u8]) {
        if may_be_command(text)
            && let Ok(text) = std::str::from_utf8(text)
            && self.found.len() < MAX_TEXTS
            && !self.found.contains(text)
        {
            self.found.insert(text.to_owned());
        }
    }

    /// Texts between zeros.
    fn zero_ended(&mut self) {
        for part in std::mem::take(&mut self.parts) {
            let mut start = 0;
            for end in memchr::memchr_iter(0, &part.bytes) {
                let text = &part.bytes[start..end];
                if (2..=MAX_LENGTH).contains(&text.len()) && text.iter().all(|byte| is_text(*byte)) {
                    self.keep(text);
                }
                start = end + 1;
            }
            self.parts.push(part);
        }
    }

    /// The text at an address.
    fn at(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let part = self
            .parts
            .iter()
            .find(|part| address >= part.address && address - part.address < part.bytes.len() as u64)?;
        let from = usize::try_from(address - part.address).ok()?;
        let text = part.bytes.get(from..from.checked_add(length)?)?;
        text.iter().all(|byte| is_text(*byte)).then(|| text.to_vec())
    }

    fn keep_at(&mut self, address: u64, length: u64) {
        if let Some(length) = usize::try_from(length).ok().filter(|length| (2..=MAX_LENGTH).contains(length))
            && let Some(text) = self.at(address, length)
        {
            self.keep(&text);
        }
    }

    /// Pairs of an address and a length in the data.
    fn pairs(&mut self) {
        let mut pairs = BTreeSet::new();
        for part in self.parts.iter().filter(|part| !part.is_code) {
            let skew = usize::try_from(part.address.wrapping_neg() % 8).unwrap_or_default();
            for at in (skew..part.bytes.len()).step_by(8) {
                if let (Some(address), Some(length)) = (number(&part.bytes, at), number(&part.bytes, at + 8))
                    && address != 0
                    && (2..=MAX_LENGTH as u64).contains(&length)
                {
                    pairs.insert((address, length));
                }
            }
        }
        pairs.into_iter().for_each(|(address, length)| self.keep_at(address, length));
    }

    /// Addresses that the loader computes, with the length behind the place.
    fn relocated(&mut self, elf: &ElfObject, file: &RootPath, root: &Root) -> Result<(), Error> {
        let Some((_, kind)) = RELATIVE.iter().find(|(machine, _)| *machine == elf.target.machine) else {
            return Ok(());
        };
        let source = root.open_file(file)?;
        for table in elf.relocations.iter().filter(|table| table.has_addend) {
            let size = table.size.min(source.meta().size.saturating_sub(table.offset)).min(MAX_IMAGE);
            let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
            let got = source.read_at(table.offset, &mut bytes).map_err(|error| Error::unreadable(file, error))?;
            for record in bytes[..got].chunks_exact(24) {
                let (Some(place), Some(info), Some(address)) =
                    (number(record, 0), number(record, 8), number(record, 16))
                else {
                    continue;
                };
                let length = self.parts.iter().find_map(|part| {
                    let at = usize::try_from(place.checked_add(8)?.checked_sub(part.address)?).ok()?;
                    number(&part.bytes, at)
                });
                if info & 0xffff_ffff == *kind
                    && let Some(length) = length
                {
                    self.keep_at(address, length);
                }
            }
        }
        Ok(())
    }

    /// `lea register, [rip + distance]`, and the first constant that is stored or loaded after it.
    fn loaded_by_code(&mut self) {
        let mut pairs = BTreeSet::new();
        for part in self.parts.iter().filter(|part| part.is_code) {
            for at in memchr::memchr_iter(0x8d, &part.bytes) {
                let is_wide = at > 0 && matches!(part.bytes[at - 1], 0x48 | 0x4c);
                let is_relative = part.bytes.get(at + 1).is_some_and(|mode| mode & 0xc7 == 0x05);
                let Some(distance) = short(&part.bytes, at + 2).filter(|_| is_wide && is_relative) else { continue };
                let next = part.address + at as u64 + 6;
                let address = next.wrapping_add_signed(i64::from(distance.cast_signed()));
                if let Some(length) = constant(&part.bytes, at + 6) {
                    pairs.insert((address, u64::from(length)));
                }
            }
        }
        pairs.into_iter().for_each(|(address, length)| self.keep_at(address, length));
    }
}

/// The first constant in the instructions from `start` on: `mov register, constant` or `mov qword [place], constant`.
fn constant(code: &[u8], start: usize) -> Option<u32> {
    let fits = |value: &u32| (2..=MAX_LENGTH as u32).contains(value);
    (start..start + MAX_DISTANCE).find_map(|at| match *code.get(at)? {
        0xb8..=0xbf => short(code, at + 1).filter(fits),
        0x48 if code.get(at + 1) == Some(&0xc7) => {
            let mode = *code.get(at + 2)?;
            let has_index = mode & 7 == 4;
            let size = match mode >> 6 {
                0 => 0,
                1 => 1,
                2 => 4,
                _ => return short(code, at + 3).filter(fits),
            };
            short(code, at + 3 + usize::from(has_index) + size).filter(fits)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_found_in_data_and_in_code() {
        let mut bytes = b"\0whole\0ffmpegjqsh".to_vec();
        bytes.resize(24, 0);
        bytes.extend(0x1007_u64.to_le_bytes());
        bytes.extend(6_u64.to_le_bytes());
        // lea rax, [rip + …]; mov ebx, 2
        let mut code = vec![0x48, 0x8d, 0x05];
        code.extend((0x100d_i32 - (0x2000 + 7)).to_le_bytes());
        code.extend([0xbb, 2, 0, 0, 0]);
        let mut image = Image {
            parts: vec![
                Part { address: 0x1000, is_code: false, bytes },
                Part { address: 0x2000, is_code: true, bytes: code },
            ],
            found: BTreeSet::new(),
        };
        image.zero_ended();
        image.pairs();
        image.loaded_by_code();
        assert_eq!(image.found.iter().collect::<Vec<_>>(), ["ffmpeg", "ffmpegjqsh", "jq", "whole"]);
    }

    #[test]
    fn the_constant_after_an_address_is_its_length() {
        assert_eq!(constant(&[0x48, 0xc7, 0x44, 0x24, 0x10, 7, 0, 0, 0], 0), Some(7));
        assert_eq!(constant(&[0x48, 0xc7, 0x84, 0x24, 1, 0, 0, 0, 9, 0, 0, 0], 0), Some(9));
        assert_eq!(constant(&[0x41, 0xb8, 3, 0, 0, 0], 0), Some(3));
        assert_eq!(constant(&[0xb8, 0, 0, 0, 0], 0), None);
    }
}
