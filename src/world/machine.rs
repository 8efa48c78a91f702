//! Texts in the loaded segments of a program, as its code and data refer to them. C ends a text with a zero. Go and Rust
//! keep the length of a text beside its address: in a pair in the data, in a relocation, or in the instruction after
//! the one that loads the address. Sections that are not loaded, such as those for debuggers, do not count.

use std::collections::BTreeSet;

use crate::elf::Class;
use crate::error::Error;
use crate::loader::Objects;
use crate::path::RootPath;
use crate::root::{Root, Source};

/// Maximum size of the loaded segments of a program, in bytes.
const MAX_IMAGE: u64 = 160 << 20;
/// Maximum size of all texts that are looked at, which may overlap, and of those that are kept, in bytes.
const MAX_SEEN: usize = 1 << 30;
const MAX_KEPT: usize = 16 << 20;
/// Maximum length of a text and of a name, in bytes.
const MAX_LENGTH: usize = 1024;
const MAX_NAME: usize = 128;
/// Maximum number of segments; real programs have fewer than ten.
const MAX_SEGMENTS: usize = 64;
/// How far after the address its length is looked for, in bytes of code.
const MAX_DISTANCE: usize = 24;
/// Maximum length of an instruction that stores a register.
const MAX_STORE: usize = 8;
/// Size of a relocation with addend (Elf64_Rela).
const RECORD: usize = 24;
/// PF_X and PF_W.
const EXECUTABLE: u32 = 1;
const WRITABLE: u32 = 2;
/// Machines and their relocations of type RELATIVE (System V ABI of each; EM_X86_64, EM_AARCH64).
const X86_64: u16 = 62;
const RELATIVE: [(u16, u64); 2] = [(X86_64, 8), (183, 1027)];

/// A loaded segment with its bytes.
struct Part {
    address: u64,
    is_code: bool,
    is_writable: bool,
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
    let mut parts = Vec::new();
    for segment in elf.segments.iter().take(MAX_SEGMENTS) {
        let length = segment.size.min(size.saturating_sub(segment.offset));
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let got = source.read_at(segment.offset, &mut bytes).map_err(|error| Error::unreadable(file, error))?;
        bytes.truncate(got);
        let (is_code, is_writable) = (segment.flags & EXECUTABLE != 0, segment.flags & WRITABLE != 0);
        parts.push(Part { address: segment.address, is_code, is_writable, bytes });
    }
    parts.sort_by_key(|part| part.address);
    let image = Image { parts };
    let mut found = Found::default();
    image.zero_ended(&mut found);
    if elf.target.class == Class::Elf64 && elf.target.little_endian {
        image.pairs(&mut found);
        for table in elf.relocations.iter().filter(|table| table.has_addend) {
            image
                .relocated(elf.target.machine, &*source, (table.offset, table.size), &mut found)
                .map_err(|error| Error::unreadable(file, error))?;
        }
        if elf.target.machine == X86_64 {
            image.loaded_by_code(&mut found);
            image.in_code(&mut found);
        }
    }
    if found.is_cut() {
        root.leave_unread(file, "it contains more texts than are searched for commands");
    }
    Ok(found.texts)
}

/// The texts that are kept so far.
#[derive(Default)]
struct Found {
    texts: BTreeSet<String>,
    seen: usize,
    kept: usize,
}

impl Found {
    fn is_cut(&self) -> bool {
        self.seen > MAX_SEEN || self.kept > MAX_KEPT
    }

    fn keep(&mut self, text: &[u8]) {
        self.seen += text.len();
        if !self.is_cut()
            && text.iter().all(|byte| is_text(*byte))
            && may_be_command(text)
            && let Ok(text) = std::str::from_utf8(text)
            && !self.texts.contains(text)
        {
            self.kept += text.len() + size_of::<String>();
            self.texts.insert(text.to_owned());
        }
    }
}

struct Image {
    /// In the order of addresses.
    parts: Vec<Part>,
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
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
    /// Texts between zeros. Code has none if constants are in a segment of their own, as linkers do it since 2018: the
    /// segments are then the headers, the code, the constants and the data (ld(1), `-z separate-code`).
    fn zero_ended(&self, found: &mut Found) {
        let is_apart = self.parts.iter().filter(|part| !part.is_code && !part.is_writable).count() > 1;
        for part in self.parts.iter().filter(|part| !is_apart || !part.is_code) {
            let mut start = 0;
            for end in memchr::memchr_iter(0, &part.bytes) {
                if (2..=MAX_LENGTH).contains(&(end - start)) {
                    found.keep(&part.bytes[start..end]);
                }
                start = end + 1;
            }
        }
    }

    /// The part with an address, and the place in it.
    fn part(&self, address: u64) -> Option<(&Part, usize)> {
        let after = self.parts.partition_point(|part| part.address <= address);
        let part = &self.parts[after.checked_sub(1)?];
        Some((part, usize::try_from(address - part.address).ok()?))
    }

    /// Keeps the text at an address.
    fn keep_at(&self, address: u64, length: u64, found: &mut Found) {
        let Some(length) = usize::try_from(length).ok().filter(|length| (2..=MAX_LENGTH).contains(length)) else {
            return;
        };
        if let Some((part, from)) = self.part(address)
            && let Some(text) = from.checked_add(length).and_then(|end| part.bytes.get(from..end))
        {
            found.keep(text);
        }
    }

    /// Keeps the end of a text from an address in it on: linkers store a text that is the end of another only once.
    fn keep_end(&self, address: u64, found: &mut Found) {
        if let Some((part, from)) = self.part(address)
            && from.checked_sub(1).and_then(|before| part.bytes.get(before)).is_some_and(|byte| is_text(*byte))
            && let Some(end) = memchr::memchr(0, &part.bytes[from..part.bytes.len().min(from + MAX_NAME)])
            && end > 1
        {
            found.keep(&part.bytes[from..from + end]);
        }
    }

    /// Pairs of an address and a length in the data.
    fn pairs(&self, found: &mut Found) {
        for part in self.parts.iter().filter(|part| !part.is_code) {
            let skew = usize::try_from(part.address.wrapping_neg() % 8).unwrap_or_default();
            for at in (skew..part.bytes.len()).step_by(8) {
                if let (Some(address), Some(length)) = (number(&part.bytes, at), number(&part.bytes, at + 8)) {
                    self.keep_at(address, length, found);
                }
            }
        }
    }

    /// Addresses that the loader computes from a table of relocations at an offset, with the length behind the place.
    fn relocated(
        &self,
        machine: u16,
        source: &dyn Source,
        (offset, size): (u64, u64),
        found: &mut Found,
    ) -> std::io::Result<()> {
        let Some((_, kind)) = RELATIVE.iter().find(|(known, _)| *known == machine) else { return Ok(()) };
        let end = offset.saturating_add(size.min(MAX_IMAGE)).min(source.meta().size);
        let (mut offset, mut bytes) = (offset, vec![0; RECORD * 4096]);
        while offset < end && !found.is_cut() {
            let wanted = bytes.len().min(usize::try_from(end - offset).unwrap_or(usize::MAX));
            let got = source.read_at(offset, &mut bytes[..wanted])?;
            if got < RECORD {
                break;
            }
            for record in bytes[..got].chunks_exact(RECORD) {
                let (Some(place), Some(info), Some(address)) =
                    (number(record, 0), number(record, 8), number(record, 16))
                else {
                    continue;
                };
                if info & 0xffff_ffff != *kind {
                    continue;
                }
                self.keep_end(address, found);
                if let Some((part, at)) = place.checked_add(8).and_then(|place| self.part(place))
                    && let Some(length) = number(&part.bytes, at)
                {
                    self.keep_at(address, length, found);
                }
            }
            offset += (got - got % RECORD) as u64;
        }
        Ok(())
    }

    /// Beginnings of short command lines that are constants of instructions, as compilers make them of copies.
    fn in_code(&self, found: &mut Found) {
        for part in self.parts.iter().filter(|part| part.is_code) {
            for at in memchr::memchr2_iter(0x48, 0x49, &part.bytes) {
                if let Some(text) = immediate(&part.bytes, at).filter(|text| text.contains(&b' ')) {
                    found.keep(&text);
                }
            }
        }
    }

    /// `lea register, [rip + distance]`: a text with an end, or with the first constant behind it as its length.
    fn loaded_by_code(&self, found: &mut Found) {
        for part in self.parts.iter().filter(|part| part.is_code) {
            for at in memchr::memchr_iter(0x8d, &part.bytes) {
                let is_wide = at > 0 && matches!(part.bytes[at - 1], 0x48 | 0x4c);
                let is_relative = part.bytes.get(at + 1).is_some_and(|mode| mode & 0xc7 == 0x05);
                let Some(distance) = short(&part.bytes, at + 2).filter(|_| is_wide && is_relative) else { continue };
                let next = part.address.wrapping_add(at as u64 + 6);
                let address = next.wrapping_add_signed(i64::from(distance.cast_signed()));
                self.keep_end(address, found);
                if let Some(length) = constant(&part.bytes, at + 6) {
                    self.keep_at(address, u64::from(length), found);
                }
            }
        }
    }
}

/// The text in `mov register, 8 bytes` at a place in code, with that of the next such instruction.
fn immediate(code: &[u8], at: usize) -> Option<Vec<u8>> {
    let one = |at: usize| {
        let is_move = matches!(code.get(at..at + 2)?, [0x48 | 0x49, 0xb8..=0xbf]);
        code.get(at + 2..at + 10).filter(|bytes| is_move && bytes.iter().all(|byte| is_text(*byte)))
    };
    let first = one(at)?;
    // What stores the first stands between them.
    let second = (at + 10..at + 10 + MAX_STORE).find_map(one);
    Some([first, second.unwrap_or_default()].concat())
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
        let image = Image {
            parts: vec![
                Part { address: 0x1000, is_code: false, is_writable: false, bytes },
                Part { address: 0x2000, is_code: true, is_writable: false, bytes: code },
            ],
        };
        let mut found = Found::default();
        image.zero_ended(&mut found);
        image.pairs(&mut found);
        image.loaded_by_code(&mut found);
        assert_eq!(found.texts.iter().collect::<Vec<_>>(), ["ffmpeg", "ffmpegjqsh", "jq", "jqsh", "whole"]);
    }

    #[test]
    fn a_text_that_is_the_end_of_another_is_found_by_its_address() {
        // lea rax, [rip + …]; call
        let mut code = vec![0x48, 0x8d, 0x05];
        code.extend((0x1005_i32 - (0x2000 + 7)).to_le_bytes());
        code.push(0xe8);
        let data = Part { address: 0x1000, is_code: false, is_writable: false, bytes: b"\0git+ssh\0".to_vec() };
        let image =
            Image { parts: vec![data, Part { address: 0x2000, is_code: true, is_writable: false, bytes: code }] };
        let mut found = Found::default();
        image.loaded_by_code(&mut found);
        assert_eq!(found.texts.iter().collect::<Vec<_>>(), ["ssh"]);
    }

    #[test]
    fn the_beginning_of_a_command_line_is_found_in_code() {
        let mut code = vec![0x48, 0xb8];
        code.extend(b"convert ");
        // mov [rdi], rax; movabs rax, …
        code.extend([0x48, 0x89, 0x07, 0x48, 0xb8]);
        code.extend(b"-size 1x");
        assert_eq!(immediate(&code, 0), Some(b"convert -size 1x".to_vec()));
        assert_eq!(immediate(&code, 1), None);
    }

    #[test]
    fn the_constant_after_an_address_is_its_length() {
        assert_eq!(constant(&[0x48, 0xc7, 0x44, 0x24, 0x10, 7, 0, 0, 0], 0), Some(7));
        assert_eq!(constant(&[0x48, 0xc7, 0x84, 0x24, 1, 0, 0, 0, 9, 0, 0, 0], 0), Some(9));
        assert_eq!(constant(&[0x41, 0xb8, 3, 0, 0, 0], 0), Some(3));
        assert_eq!(constant(&[0xb8, 0, 0, 0, 0], 0), None);
    }
}
