//! Where an object has machine code: its functions, the words through which it calls other objects, and the addresses
//! of code in its data.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use goblin::elf::header::ET_EXEC;
use goblin::elf::program_header::{PF_W, PF_X, PT_GNU_EH_FRAME, PT_LOAD};
use goblin::elf::{Elf, reloc};

use super::Malformed;

/// Header of a table of frames with 32-bit offsets from the table, as linkers write it (LSB, "The .eh_frame_hdr
/// section"): version 1, a pointer of any encoding, a 32-bit count, and pairs of offsets.
const FRAMES: (u8, u8, u8) = (1, 0x03, 0x3b);
/// Offset of the length of a function in its frame, with 32-bit pointers as compilers of x86-64 write them.
const RANGE: usize = 12;
/// Offset of the first pair in that table.
const PAIRS: usize = 12;

/// The code of an object.
#[derive(Clone, Debug, Default)]
pub struct CodeMap {
    /// Executable parts: the address of each, and its bytes in the file.
    pub parts: Vec<(u64, Range<usize>)>,
    /// Addresses at which functions start, sorted: those of the table of frames, or those of dynamic symbols. A function ends
    /// where the next one starts.
    pub starts: Vec<u64>,
    /// True if all functions are in `starts`, because the object has a table of frames.
    pub has_frames: bool,
    /// Those of `starts` at which no function starts: data among the code, or code without a frame.
    pub gaps: BTreeSet<u64>,
    /// Functions that other objects find by name, with their addresses.
    pub exports: Vec<(Vec<u8>, u64)>,
    /// Names of the symbols that the object uses and does not define.
    pub imports: BTreeSet<Vec<u8>>,
    /// Words that the loader fills with the address of a symbol: their addresses, and the symbol.
    pub slots: BTreeMap<u64, Vec<u8>>,
    /// Words of data that have the address of code: their own addresses, and what they have.
    pub pointers: BTreeMap<u64, u64>,
    /// Code that runs without a name: the start of the program, and what loaders call first and last.
    pub entries: BTreeSet<u64>,
    /// True for a program made by Go's own linker.
    pub is_go: bool,
}

impl CodeMap {
    /// Every four bytes of the code as an offset from their end: their address, and the code or slot to which they lead.
    /// All references are among them; most are none.
    pub fn references(&self, bytes: &[u8], each: &mut dyn FnMut(u64, u64)) {
        let parts = || self.parts.iter().map(|(start, place)| (*start, start + place.len() as u64));
        let slots = [self.slots.keys().next(), self.slots.keys().next_back()];
        let slots = || slots.into_iter().flatten().copied();
        let low = parts().map(|(start, _)| start).chain(slots()).min().unwrap_or(0);
        let high = parts().map(|(_, end)| end).chain(slots().map(|at| at + 8)).max().unwrap_or(0);
        for (start, place) in &self.parts {
            let code = bytes.get(place.clone()).unwrap_or_default();
            for (at, word) in (*start..).zip(code.windows(4)) {
                let offset = i32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                let to = (at + 4).wrapping_add_signed(i64::from(offset));
                if (low..high).contains(&to) {
                    each(at, to);
                }
            }
        }
    }

    /// True if an address is executable.
    pub fn is_code(&self, address: u64) -> bool {
        self.parts.iter().any(|(start, bytes)| (*start..start + bytes.len() as u64).contains(&address))
    }
}

/// Reads where a whole 64-bit object has code.
///
/// # Errors
/// `bad-dynamic` for tables outside of the file.
pub fn parse_code(bytes: &[u8]) -> Result<CodeMap, Malformed> {
    let elf = Elf::parse(bytes).map_err(|error| Malformed::new("bad-dynamic", 0, format!("its tables: {error}")))?;
    let loaded = || elf.program_headers.iter().filter(|part| part.p_type == PT_LOAD);
    let in_file = |part: &goblin::elf::ProgramHeader| {
        let range = part.file_range();
        range.start.min(bytes.len())..range.end.min(bytes.len())
    };
    let mut map = CodeMap {
        parts: loaded().filter(|part| part.p_flags & PF_X != 0).map(|part| (part.p_vaddr, in_file(part))).collect(),
        is_go: elf.section_headers.iter().any(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(".gopclntab")),
        ..CodeMap::default()
    };
    let mut pointers = BTreeMap::new();
    for symbol in &elf.dynsyms {
        let name = elf.dynstrtab.get_at(symbol.st_name).unwrap_or_default().as_bytes().to_vec();
        if symbol.is_import() {
            map.imports.insert(name);
        } else if map.is_code(symbol.st_value) {
            map.exports.push((name, symbol.st_value));
        }
    }
    for record in elf.dynrelas.iter().chain(elf.pltrelocs.iter()) {
        let addend = record.r_addend.unwrap_or_default().cast_unsigned();
        match (record.r_sym, elf.dynsyms.get(record.r_sym)) {
            (0, _) | (_, None) => _ = pointers.insert(record.r_offset, addend),
            (_, Some(symbol)) => {
                pointers.insert(record.r_offset, symbol.st_value.wrapping_add(addend));
                let name = elf.dynstrtab.get_at(symbol.st_name).unwrap_or_default().as_bytes().to_vec();
                if record.r_type == reloc::R_X86_64_64 {
                    // A table of functions: whoever has its address calls it.
                    map.imports.insert(name.clone());
                }
                map.slots.insert(record.r_offset, name);
            }
        }
    }
    let ends = elf.dynamic.as_ref().map_or([0; 2], |dynamic| [dynamic.info.init, dynamic.info.fini]);
    map.entries = ends.into_iter().chain([elf.entry]).filter(|at| map.is_code(*at)).collect();
    // Compact relocations keep the addresses in the words themselves, and so do programs at a fixed address.
    let is_fixed = elf.header.e_type == ET_EXEC;
    for part in loaded().filter(|part| part.p_flags & PF_W != 0 || is_fixed && part.p_flags & PF_X == 0) {
        let words = bytes.get(in_file(part)).unwrap_or_default().chunks_exact(8);
        let words = words.map(|word| word.try_into().map_or(0, u64::from_le_bytes));
        let places = (part.p_vaddr..).step_by(8).zip(words);
        places.filter(|(_, at)| map.is_code(*at)).for_each(|(place, at)| _ = pointers.entry(place).or_insert(at));
    }
    map.pointers = pointers.into_iter().filter(|(_, at)| map.is_code(*at)).collect();
    let exported: BTreeSet<u64> = map.exports.iter().map(|(_, at)| *at).collect();
    let table = elf.program_headers.iter().find(|part| part.p_type == PT_GNU_EH_FRAME);
    let frames = table.and_then(|part| frames(bytes, in_file(part), part.p_vaddr)).unwrap_or_default();
    let mut starts: BTreeSet<u64> = map.parts.iter().map(|(start, _)| *start).collect();
    // Some libraries have frames for a few functions in assembler only.
    map.has_frames = frames.len() > exported.len() / 2;
    if map.has_frames {
        let begins: BTreeSet<u64> = frames.iter().map(|frame| frame.start).filter(|at| map.is_code(*at)).collect();
        map.gaps = frames.iter().map(|frame| frame.end).filter(|at| map.is_code(*at) && !begins.contains(at)).collect();
        starts.extend(begins.iter().chain(&map.gaps));
    } else {
        starts.extend(exported);
    }
    map.starts = starts.into_iter().collect();
    Ok(map)
}

/// The code of a function.
struct Frame {
    start: u64,
    end: u64,
}

/// The functions in a table of frames.
fn frames(bytes: &[u8], place: Range<usize>, address: u64) -> Option<Vec<Frame>> {
    let table = bytes.get(place.clone())?;
    let head = (*table.first()?, *table.get(2)?, *table.get(3)?);
    let word = |from: &[u8], at: usize| Some(i32::from_le_bytes(from.get(at..at.checked_add(4)?)?.try_into().ok()?));
    // The pointer to the frames before the count has four bytes in every encoding but the absolute one of eight.
    if head != FRAMES || table.get(1)? & 0x0f == 0x04 {
        return None;
    }
    let count = usize::try_from(word(table, 8)?).ok()?;
    let frame = |pair: &[u8]| {
        let start = address.wrapping_add_signed(i64::from(word(pair, 0)?));
        // The table and the frames are in one segment.
        let record = place.start.checked_add_signed(isize::try_from(word(pair, 4)?).ok()?)?;
        let length = u64::try_from(word(bytes, record.checked_add(RANGE)?)?).ok()?;
        Some(Frame { start, end: start.wrapping_add(length) })
    };
    table.get(PAIRS..)?.chunks_exact(8).take(count).map(frame).collect()
}
