//! `.note.dlopen`: what an object says it may open at run time (UAPI.12, "ELF dlopen metadata"), read from PT_NOTE
//! segments so that files without section headers count too.

use goblin::container::Ctx;
use goblin::elf::program_header::ProgramHeader;
use scroll::Pread;
use serde::Deserialize;

use super::{ElfObject, Malformed};

/// Owner and type of the note, as UAPI.12 defines them.
const OWNER: &[u8] = b"FDO\0";
const DLOPEN: u32 = 0x407c_0c0a;
/// Owner and type of the note with program properties (Linux gABI extensions, ".note.gnu.property"), and the property
/// that says which levels of x86 an object needs.
const GNU: &[u8] = b"GNU\0";
const PROPERTIES: u32 = 5;
const X86_ISA_1_NEEDED: u32 = 0xc000_8002;
/// Bytes of a note's header: three 32-bit words in both classes.
const HEADER: usize = 12;

/// How much an object misses a library that it opens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Good to have.
    Suggested,
    /// Most uses want it; also the default.
    Recommended,
    /// It does not work without.
    Required,
}

/// One feature of a `.note.dlopen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DlopenNote {
    /// Names tried, the best first.
    pub sonames: Vec<String>,
    /// What the library serves.
    pub feature: Option<String>,
    /// In words.
    pub description: Option<String>,
    /// How much it is missed.
    pub priority: Priority,
}

/// A feature as written; unknown keys are allowed by the specification.
#[derive(Deserialize)]
struct RawNote {
    soname: Vec<String>,
    feature: Option<String>,
    description: Option<String>,
    priority: Option<String>,
}

/// Adds what the notes of one segment say to the object; what cannot be read becomes an oddity.
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
                    let says = format!("its .note.dlopen is not the JSON that UAPI.12 wants: {error}");
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
