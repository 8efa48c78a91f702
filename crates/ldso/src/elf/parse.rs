//! Builds an [`ElfObject`] with three small reads: the headers, the dynamic section, and the needed part of the string
//! table.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::dynamic::{self, Dyn};
use goblin::elf::header::{EI_CLASS, EI_DATA, EI_OSABI, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, ELFMAG};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader};
use goblin::elf::{Elf, Header};
use scroll::Pread;

use super::note::parse_notes;
use super::{Bytes, Class, ElfObject, Malformed, RelocationTable, Segment, SymbolTables, Target, Want, WantKind};

/// Objects whose symbols take precedence over those of this one (Oracle Linker and Libraries Guide, "Filters"); goblin
/// lacks both tags.
const DT_FILTER: u64 = 0x7fff_ffff;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
/// Compact relative relocations (gABI, 2022); goblin lacks the tag.
const DT_RELR: u64 = 36;
/// One read of this size covers the header and the program headers of nearly every file.
const HEAD: usize = 4096;
/// Maximum length of an interpreter path in the kernel, including NUL (`PATH_MAX`, fs/binfmt_elf.c).
const MAX_INTERP: u64 = 4096;
/// Maximum number of entries in a dynamic section.
const MAX_DYNAMIC: usize = 1 << 16;
/// Maximum size of a string table.
const MAX_STRTAB: u64 = 64 << 20;
/// Maximum length of a string.
const MAX_STRING: usize = 4096;
/// Maximum number of DT_NEEDED entries.
const MAX_WANTS: usize = 4096;
/// Strings that are further apart than this are read one by one.
const MAX_STRING_SPAN: u64 = 64 << 10;
/// Maximum number of note bytes per object.
const MAX_NOTES: u64 = 1 << 20;

/// Reads the information in an ELF file that a loader uses.
///
/// Section headers are ignored, because loaders ignore them too.
///
/// # Errors
/// The first defect that makes the file unusable, with its offset. A failed read has the class `unreadable`.
pub fn parse(bytes: &(impl Bytes + ?Sized)) -> Result<ElfObject, Malformed> {
    let file = File { bytes };
    let head = file.range(0, HEAD.min(usize::try_from(bytes.size()).unwrap_or(HEAD)))?;
    let (header, ctx) = parse_header(&head)?;
    let programs = file.program_headers(&head, &header, ctx)?;
    let segments: Vec<Segment> = programs
        .iter()
        .filter(|program| program.p_type == PT_LOAD)
        .map(|program| Segment {
            offset: program.p_offset,
            address: program.p_vaddr,
            size: program.p_filesz,
            flags: program.p_flags,
            align: program.p_align,
        })
        .collect();
    let (interp, interp_defect) = match file.interp(&programs) {
        Ok(interp) => (interp, None),
        Err(defect) => (None, Some(defect)),
    };
    let mut object = ElfObject {
        target: Target {
            class: if ctx.container.is_big() { Class::Elf64 } else { Class::Elf32 },
            little_endian: ctx.le.is_little(),
            machine: header.e_machine,
            flags: header.e_flags,
        },
        kind: header.e_type,
        os_abi: header.e_ident[EI_OSABI],
        interp,
        interp_defect,
        segments,
        has_dynamic: false,
        soname: None,
        wants: Vec::new(),
        rpath: None,
        runpath: None,
        audit: Vec::new(),
        flags: 0,
        flags_1: 0,
        has_relr: false,
        relocations: Vec::new(),
        symbols: None,
        isa_needed: 0,
        dlopen: Vec::new(),
        oddities: Vec::new(),
    };
    // If there are several, the last one is used, as in glibc's _dl_map_object_from_fd.
    if let Some(program) = programs.iter().rfind(|program| program.p_type == PT_DYNAMIC) {
        object.has_dynamic = true;
        file.dynamic(&mut object, program, ctx)?;
    }
    file.notes(&mut object, &programs, ctx)?;
    Ok(object)
}

/// Parses the file header and the layout of the rest of the file.
fn parse_header(head: &[u8]) -> Result<(Header, Ctx), Malformed> {
    if !head.starts_with(ELFMAG) {
        return Err(Malformed::new("not-elf", 0, "it does not start with the ELF magic"));
    }
    let class = head.get(EI_CLASS).copied().unwrap_or_default();
    let container = match class {
        ELFCLASS32 => Container::Little,
        ELFCLASS64 => Container::Big,
        other => return Err(Malformed::new("bad-ident", EI_CLASS as u64, format!("its ELF class is {other}"))),
    };
    let endian = match head.get(EI_DATA).copied().unwrap_or_default() {
        ELFDATA2LSB => Endian::Little,
        ELFDATA2MSB => Endian::Big,
        other => return Err(Malformed::new("bad-ident", EI_DATA as u64, format!("its byte order is {other}"))),
    };
    let ctx = Ctx::new(container, endian);
    if head.len() < Header::size(ctx) {
        return Err(Malformed::new("too-short", head.len() as u64, "it is shorter than an ELF header"));
    }
    let header = Elf::parse_header(head).map_err(|error| Malformed::new("bad-ident", 0, error.to_string()))?;
    Ok((header, ctx))
}

struct File<'a, B: Bytes + ?Sized> {
    bytes: &'a B,
}

impl<B: Bytes + ?Sized> File<'_, B> {
    /// Reads exactly these bytes. Every number from the file is checked against the file size before it is used.
    fn range(&self, offset: u64, length: usize) -> Result<Vec<u8>, Malformed> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.bytes.size()) {
            return Err(Malformed::new("truncated", offset, format!("{length} bytes lie past its end")));
        }
        let mut buffer = vec![0; length];
        match self.bytes.read_at(offset, &mut buffer) {
            Ok(read) if read == length => Ok(buffer),
            Ok(_) => Err(Malformed::new("truncated", offset, "it ended while it was read")),
            Err(error) => Err(Malformed::new("unreadable", offset, error.to_string())),
        }
    }

    fn program_headers(&self, head: &[u8], header: &Header, ctx: Ctx) -> Result<Vec<ProgramHeader>, Malformed> {
        let count = usize::from(header.e_phnum);
        if count == 0 {
            return Ok(Vec::new());
        }
        let size = ProgramHeader::size(ctx);
        if usize::from(header.e_phentsize) != size {
            let says = format!("its program headers have {} bytes each, not {size}", header.e_phentsize);
            return Err(Malformed::new("bad-phentsize", 0, says));
        }
        let length = count * size;
        let inside = usize::try_from(header.e_phoff).ok().and_then(|from| head.get(from..from.checked_add(length)?));
        let table = match inside {
            Some(table) => table.to_vec(),
            None => self.range(header.e_phoff, length)?,
        };
        ProgramHeader::parse(&table, 0, count, ctx)
            .map_err(|error| Malformed::new("truncated", header.e_phoff, error.to_string()))
    }

    /// The first PT_INTERP, checked as in the kernel: it must end with NUL inside the segment (fs/binfmt_elf.c).
    fn interp(&self, programs: &[ProgramHeader]) -> Result<Option<Vec<u8>>, Malformed> {
        let Some(program) = programs.iter().find(|program| program.p_type == PT_INTERP) else { return Ok(None) };
        if !(2..=MAX_INTERP).contains(&program.p_filesz) {
            let says = format!("its interpreter path has {} bytes", program.p_filesz);
            return Err(Malformed::new("bad-string", program.p_offset, says));
        }
        let text = self.range(program.p_offset, usize::try_from(program.p_filesz).unwrap_or(0))?;
        match text.split_last() {
            Some((0, path)) => Ok(Some(path.split(|b| *b == 0).next().unwrap_or_default().to_vec())),
            _ => Err(Malformed::new("bad-string", program.p_offset, "its interpreter path does not end in NUL")),
        }
    }

    fn dynamic(&self, object: &mut ElfObject, program: &ProgramHeader, ctx: Ctx) -> Result<(), Malformed> {
        // The loader uses the address, so the address takes precedence over a different file offset.
        let mapped = offset_of(&object.segments, program.p_vaddr);
        let offset = mapped.map_or(program.p_offset, |(offset, _)| offset);
        if offset != program.p_offset {
            let says = "the address and the offset of its dynamic section disagree";
            object.oddities.push(Malformed::new("bad-dynamic", program.p_offset, says));
        }
        let entry = Dyn::size(ctx.container);
        let room = mapped.map_or(program.p_filesz, |(_, room)| room.min(program.p_filesz));
        let count = usize::try_from(room).unwrap_or(usize::MAX) / entry;
        if count > MAX_DYNAMIC {
            return Err(Malformed::new("bad-dynamic", offset, format!("its dynamic section has {count} entries")));
        }
        let table = self.range(offset, count * entry)?;
        let mut tags = Vec::new();
        for index in 0..count {
            let tag: Dyn = table
                .pread_with(index * entry, ctx)
                .map_err(|error: goblin::error::Error| Malformed::new("bad-dynamic", offset, error.to_string()))?;
            if tag.d_tag == dynamic::DT_NULL {
                break;
            }
            tags.push(tag);
        }
        self.tags(object, &tags, offset)
    }

    /// Reads the tags. If a string tag occurs repeatedly, the last one is used; dependencies accumulate.
    fn tags(&self, object: &mut ElfObject, tags: &[Dyn], at: u64) -> Result<(), Malformed> {
        let last = |wanted: u64| tags.iter().rfind(|tag| tag.d_tag == wanted).map(|tag| tag.d_val);
        object.flags_1 = last(dynamic::DT_FLAGS_1).unwrap_or(0);
        let mapped = |wanted: u64| last(wanted).and_then(|address| offset_of(&object.segments, address));
        if let (Some(symbols), Some(strings)) = (mapped(dynamic::DT_SYMTAB), mapped(dynamic::DT_STRTAB)) {
            let size = last(dynamic::DT_STRSZ).unwrap_or(strings.1).min(strings.1);
            object.symbols = Some(SymbolTables {
                symbols,
                strings: (strings.0, size),
                gnu_hash: mapped(dynamic::DT_GNU_HASH).map(|(offset, _)| offset),
                hash: mapped(dynamic::DT_HASH).map(|(offset, _)| offset),
                versions: mapped(dynamic::DT_VERSYM).map(|(offset, _)| offset),
                defined_versions: mapped(dynamic::DT_VERDEF).map(|(offset, _)| offset),
                wanted_versions: mapped(dynamic::DT_VERNEED).map(|(offset, _)| offset),
            });
        }
        object.flags = last(dynamic::DT_FLAGS).unwrap_or(0);
        // The older tag has the same meaning as the flag (gABI, "Dynamic Section").
        if last(dynamic::DT_BIND_NOW).is_some() {
            object.flags |= dynamic::DF_BIND_NOW;
        }
        object.has_relr = last(DT_RELR).is_some();
        // These tags do not cover the relocations of MIPS, which follow its global offset table.
        let plt_has_addend = last(dynamic::DT_PLTREL) == Some(dynamic::DT_RELA);
        for (table, size, count, has_addend, is_plt) in [
            (dynamic::DT_RELA, dynamic::DT_RELASZ, Some(dynamic::DT_RELACOUNT), true, false),
            (dynamic::DT_REL, dynamic::DT_RELSZ, Some(dynamic::DT_RELCOUNT), false, false),
            (dynamic::DT_JMPREL, dynamic::DT_PLTRELSZ, None, plt_has_addend, true),
        ] {
            if let (Some((offset, room)), Some(size)) = (mapped(table), last(size)) {
                let relative = count.and_then(last).unwrap_or(0);
                let size = size.min(room);
                object.relocations.push(RelocationTable { offset, size, has_addend, is_plt, relative });
            }
        }
        let is_string = |tag: &&Dyn| {
            matches!(
                tag.d_tag,
                dynamic::DT_NEEDED
                    | dynamic::DT_SONAME
                    | dynamic::DT_RPATH
                    | dynamic::DT_RUNPATH
                    | DT_FILTER
                    | DT_AUXILIARY
                    | dynamic::DT_AUDIT
                    | dynamic::DT_DEPAUDIT
            )
        };
        let wanted: Vec<&Dyn> = tags.iter().filter(is_string).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        if wanted.len() > MAX_WANTS {
            return Err(Malformed::new("limit", at, format!("it states {} names", wanted.len())));
        }
        let table = self.string_table(object, last, at)?;
        let strings = self.strings(table, &wanted.iter().map(|tag| tag.d_val).collect::<Vec<_>>())?;
        for (tag, text) in wanted.iter().zip(strings) {
            match tag.d_tag {
                dynamic::DT_NEEDED => object.wants.push(Want { kind: WantKind::Needed, name: text }),
                DT_FILTER => object.wants.push(Want { kind: WantKind::Filter, name: text }),
                DT_AUXILIARY => object.wants.push(Want { kind: WantKind::Auxiliary, name: text }),
                dynamic::DT_SONAME => object.soname = Some(text),
                dynamic::DT_RPATH => object.rpath = Some(text),
                dynamic::DT_RUNPATH => object.runpath = Some(text),
                _ => object.audit.push(text),
            }
        }
        Ok(())
    }

    /// File offset and size of the dynamic string table.
    fn string_table(
        &self,
        object: &ElfObject,
        last: impl Fn(u64) -> Option<u64>,
        at: u64,
    ) -> Result<(u64, u64), Malformed> {
        let Some(address) = last(dynamic::DT_STRTAB) else {
            return Err(Malformed::new("bad-dynamic", at, "its dynamic section has names but no string table"));
        };
        let Some((offset, room)) = offset_of(&object.segments, address) else {
            let says = format!("its string table at address {address:#x} is in no loaded segment");
            return Err(Malformed::new("bad-dynamic", at, says));
        };
        let size = last(dynamic::DT_STRSZ).unwrap_or(room).min(room);
        if size > MAX_STRTAB {
            return Err(Malformed::new("bad-string", offset, format!("its string table has {size} bytes")));
        }
        Ok((offset, size))
    }

    /// Reads the strings at the given offsets of the table, in one read if they are close together.
    fn strings(&self, (table, size): (u64, u64), offsets: &[u64]) -> Result<Vec<Vec<u8>>, Malformed> {
        let bad = |offset: u64, says: &str| Malformed::new("bad-string", table.saturating_add(offset), says);
        if let Some(outside) = offsets.iter().find(|offset| **offset >= size) {
            return Err(bad(*outside, "a name starts outside of its string table"));
        }
        let first = offsets.iter().copied().min().unwrap_or(0);
        let span = offsets.iter().copied().max().unwrap_or(0) - first;
        let together = span <= MAX_STRING_SPAN;
        let window = |from: u64, length: u64| {
            let length = length.min(size - from).min(self.bytes.size().saturating_sub(table + from));
            self.range(table + from, usize::try_from(length).unwrap_or(0))
        };
        let all = if together { window(first, span + MAX_STRING as u64)? } else { Vec::new() };
        let mut found = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let text = if together {
                all.get(usize::try_from(offset - first).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
            } else {
                window(*offset, MAX_STRING as u64)?
            };
            match text.iter().take(MAX_STRING).position(|b| *b == 0) {
                Some(end) => found.push(text[..end].to_vec()),
                None => return Err(bad(*offset, "a name does not end within its string table")),
            }
        }
        Ok(found)
    }

    fn notes(&self, object: &mut ElfObject, programs: &[ProgramHeader], ctx: Ctx) -> Result<(), Malformed> {
        let mut left = MAX_NOTES;
        for program in programs.iter().filter(|program| program.p_type == PT_NOTE) {
            if program.p_filesz > left {
                object.oddities.push(Malformed::new("bad-note", program.p_offset, "it has more than 1 MiB of notes"));
                break;
            }
            left -= program.p_filesz;
            // The loader does not refuse a file because of a truncated note segment.
            match self.range(program.p_offset, usize::try_from(program.p_filesz).unwrap_or(0)) {
                Ok(bytes) => parse_notes(&bytes, program, ctx, object),
                Err(defect) => object.oddities.push(Malformed { class: "bad-note", ..defect }),
            }
        }
        Ok(())
    }
}

/// The file offset of an address, and the number of bytes that follow it in its segment. Only bytes in the file count
/// (`p_filesz`, not `p_memsz`). A segment that ends past the last possible offset is ignored.
fn offset_of(segments: &[Segment], address: u64) -> Option<(u64, u64)> {
    segments.iter().find_map(|segment| {
        let into = address.checked_sub(segment.address)?;
        segment.offset.checked_add(segment.size)?;
        (into < segment.size).then(|| (segment.offset + into, segment.size - into))
    })
}
