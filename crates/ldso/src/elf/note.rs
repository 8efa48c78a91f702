//! `.note.dlopen`: libraries that an object may open at run time (UAPI.12, "ELF dlopen metadata"). They are read from
//! PT_NOTE segments, so that files without section headers are covered.

use goblin::container::Ctx;
use goblin::elf::program_header::ProgramHeader;
use scroll::Pread;
use serde::Deserialize;

use super::{ElfObject, Malformed};

/// Owner and type of the note, as UAPI.12 defines them.
const OWNER: &[u8] = b"FDO\0";
const DLOPEN: u32 = 0x407c_0c0a;
/// Owner and type of the program property note (Linux gABI extensions, ".note.gnu.property"), and the property with the
/// required x86 levels.
const GNU: &[u8] = b"GNU\0";
const PROPERTIES: u32 = 5;
const X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// Size of a note header: three 32-bit words in both classes.
const HEADER: usize = 12;

/// Importance of a library that an object opens with dlopen(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Optional.
    Suggested,
    /// Needed for most uses; the default.
    Recommended,
    /// The object does not work without it.
    Required,
}

/// One feature in a `.note.dlopen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DlopenNote {
    /// Names to try, in order of preference.
    pub sonames: Vec<String>,
    /// The feature that the library provides.
    pub feature: Option<String>,
    /// Description of the feature.
    pub description: Option<String>,
    /// Importance of the library.
    pub priority: Priority,
}

/// A feature as written. The specification allows unknown keys.
#[derive(Deserialize)]
struct RawNote {
    soname: Vec<String>,
    feature: Option<String>,
    description: Option<String>,
    priority: Option<String>,
}

/// Adds the notes of one segment to the object. An unreadable note becomes an oddity.
pub(super) fn parse_notes(bytes: &[u8], program: &ProgramHeader, ctx: Ctx, object: &mut ElfObject) {
    let align = if program.p_align == 8 { 8 } else { 4 };
    let padded = |length: usize| length.checked_next_multiple_of(align);
    let mut at = 0;
    while at + HEADER <= bytes.len() {
        let word = |index: usize| bytes.pread_with::<u32>(at + 4 * index, ctx.le).unwrap_or(0);
        let (name_size, size, kind) = (word(0) as usize, word(1) as usize, word(2));
        let name_end = at + HEADER + name_size.min(bytes.len());
        let found = padded(name_end).and_then(|from| Some((from, from.checked_add(size)?)));
        let Some((from, end)) = found.filter(|(_, end)| *end <= bytes.len()) else {
            let offset = program.p_offset + at as u64;
            object.oddities.push(Malformed::new("bad-note", offset, "a note is longer than its segment"));
            return;
        };
        if kind == PROPERTIES && bytes.get(at + HEADER..name_end) == Some(GNU) {
            properties(&bytes[from..end], ctx, object);
        }
        if kind == DLOPEN && bytes.get(at + HEADER..name_end) == Some(OWNER) {
            let text = bytes[from..end].split(|b| *b == 0).next().unwrap_or_default();
            match serde_json::from_slice::<Vec<RawNote>>(text) {
                Ok(notes) => object.dlopen.extend(notes.into_iter().map(meant)),
                Err(error) => {
                    let says = format!("its .note.dlopen is not the JSON that UAPI.12 specifies: {error}");
                    object.oddities.push(Malformed::new("bad-note", program.p_offset + from as u64, says));
                }
            }
        }
        at = match padded(end) {
            Some(next) => next,
            None => return,
        };
    }
}

fn properties(bytes: &[u8], ctx: Ctx, object: &mut ElfObject) {
    let align = if ctx.container.is_big() { 8 } else { 4 };
    let mut at = 0;
    while let (Ok(kind), Ok(size)) = (bytes.pread_with::<u32>(at, ctx.le), bytes.pread_with::<u32>(at + 4, ctx.le)) {
        if kind == X86_ISA_1_NEEDED {
            object.isa_needed |= bytes.pread_with::<u32>(at + 8, ctx.le).unwrap_or(0);
        }
        let next = (at + 8).checked_add(size as usize).and_then(|end| end.checked_next_multiple_of(align));
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
}

fn meant(raw: RawNote) -> DlopenNote {
    let priority = match raw.priority.as_deref() {
        Some("required") => Priority::Required,
        Some("suggested") => Priority::Suggested,
        _ => Priority::Recommended,
    };
    DlopenNote { sonames: raw.soname, feature: raw.feature, description: raw.description, priority }
}
