//! Stripping: what no loader, kernel or program looks at is left out of a file. Nothing that is loaded moves: the file is
//! kept as it is up to the end of its last segment, and only the section table after it is written anew. So the libraries
//! that tools for wheels have patched, with segments in odd places, are as safe as others.

use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, ET_DYN, ET_EXEC};
use goblin::elf::section_header::{SHF_ALLOC, SHF_INFO_LINK, SHT_NOBITS, SHT_REL, SHT_RELA};
use scroll::{Endian, Pread, Pwrite};

use super::Bytes;

/// Sections that only debuggers and linkers read, by name. Small ones that say where a file comes from stay.
const NAMES: [&str; 6] =
    [".symtab", ".strtab", ".symtab_shndx", ".gnu_debugdata", ".gdb_index", ".gnu.build.attributes"];
/// The same by how their names start.
const STARTS: [&str; 6] = [".debug", ".zdebug", ".stab", ".gnu.lto", ".lto", ".gnu.build.attributes."];
/// Most sections, and bytes of sections that stay without being loaded.
const MAX_SECTIONS: usize = 4096;
const MAX_KEPT: u64 = 16 << 20;

/// A file without what nobody needs at run time: the bytes of the original up to `keep`, its first ones replaced by
/// `head`, then `tail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripped {
    /// The new file header.
    pub head: Vec<u8>,
    /// How many bytes of the original stay.
    pub keep: u64,
    /// Sections that stay without being loaded, their names, and the section table.
    pub tail: Vec<u8>,
}

impl Stripped {
    /// Bytes of the result.
    pub fn size(&self) -> u64 {
        self.keep + self.tail.len() as u64
    }
}

/// A section header, both classes alike.
#[derive(Clone, Debug, Default)]
struct Section {
    name: Vec<u8>,
    name_at: u32,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// Where the fields of a class lie.
struct Layout {
    endian: Endian,
    is_64: bool,
}

impl Layout {
    fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        if self.is_64 {
            bytes.pread_with(at, self.endian).ok()
        } else {
            bytes.pread_with::<u32>(at, self.endian).ok().map(u64::from)
        }
    }

    fn half(&self, bytes: &[u8], at: usize) -> Option<u64> {
        bytes.pread_with::<u16>(at, self.endian).ok().map(u64::from)
    }

    fn pick(&self, small: usize, large: usize) -> usize {
        if self.is_64 { large } else { small }
    }

    fn section(&self, bytes: &[u8]) -> Option<Section> {
        let u32_at = |at: usize| bytes.pread_with::<u32>(at, self.endian).ok();
        Some(Section {
            name: Vec::new(),
            name_at: u32_at(0)?,
            kind: u32_at(4)?,
            flags: self.word(bytes, 8)?,
            address: self.word(bytes, self.pick(12, 16))?,
            offset: self.word(bytes, self.pick(16, 24))?,
            size: self.word(bytes, self.pick(20, 32))?,
            link: u32_at(self.pick(24, 40))?,
            info: u32_at(self.pick(28, 44))?,
            align: self.word(bytes, self.pick(32, 48))?,
            entry: self.word(bytes, self.pick(36, 56))?,
        })
    }

    fn put(&self, out: &mut [u8], at: usize, value: u64) -> Option<()> {
        if self.is_64 {
            out.pwrite_with(value, at, self.endian).ok()?;
        } else {
            out.pwrite_with(u32::try_from(value).ok()?, at, self.endian).ok()?;
        }
        Some(())
    }

    fn put_section(&self, section: &Section) -> Option<Vec<u8>> {
        let mut out = vec![0; self.pick(40, 64)];
        for (at, value) in [
            (0, section.name_at),
            (4, section.kind),
            (self.pick(24, 40), section.link),
            (self.pick(28, 44), section.info),
        ] {
            out.pwrite_with(value, at, self.endian).ok()?;
        }
        for (at, value) in [
            (8, section.flags),
            (self.pick(12, 16), section.address),
            (self.pick(16, 24), section.offset),
            (self.pick(20, 32), section.size),
            (self.pick(32, 48), section.align),
            (self.pick(36, 56), section.entry),
        ] {
            self.put(&mut out, at, value)?;
        }
        Some(out)
    }
}

/// Says what a file would be without its debug sections and symbol tables; `None` if nothing can be left out, or if the
/// file has more to it than ELF knows of (an archive behind it, a table that contradicts).
pub fn strip(bytes: &(impl Bytes + ?Sized)) -> Option<Stripped> {
    let size = bytes.size();
    let read = |offset: u64, length: u64| -> Option<Vec<u8>> {
        if offset.checked_add(length)? > size {
            return None;
        }
        let mut buffer = vec![0; usize::try_from(length).ok()?];
        (bytes.read_at(offset, &mut buffer).ok()? == buffer.len()).then_some(buffer)
    };
    let ident = read(0, 16)?;
    if !ident.starts_with(ELFMAG) {
        return None;
    }
    let is_64 = ident[EI_CLASS] == ELFCLASS64;
    let endian = if ident[EI_DATA] == ELFDATA2LSB { Endian::Little } else { Endian::Big };
    let layout = Layout { endian, is_64 };
    let header_size = layout.pick(52, 64);
    let mut head = read(0, header_size as u64)?;
    let kind = u16::try_from(layout.half(&head, 16)?).ok()?;
    if kind != ET_DYN && kind != ET_EXEC {
        return None;
    }
    let programs_at = layout.word(&head, layout.pick(28, 32))?;
    let sections_at = layout.word(&head, layout.pick(32, 40))?;
    let half = |at: (usize, usize)| layout.half(&head, layout.pick(at.0, at.1));
    let (program_size, programs) = (half((42, 54))?, half((44, 56))?);
    let (section_size, sections, names) = (half((46, 58))?, half((48, 60))?, half((50, 62))?);
    if sections == 0 || section_size != layout.pick(40, 64) as u64 || program_size != layout.pick(32, 56) as u64 {
        return None;
    }
    let count = usize::try_from(sections).ok().filter(|count| *count <= MAX_SECTIONS)?;
    let programs = read(programs_at, programs * program_size)?;
    // How far the file is loaded, or read by the kernel.
    let mut keep = (header_size as u64).max(programs_at + programs.len() as u64);
    for program in programs.chunks_exact(layout.pick(32, 56)) {
        let offset = layout.word(program, layout.pick(4, 8))?;
        let length = layout.word(program, layout.pick(16, 32))?;
        keep = keep.max(offset.checked_add(length)?);
    }
    let table = read(sections_at, sections * section_size)?;
    let mut all: Vec<Section> =
        table.chunks_exact(layout.pick(40, 64)).map(|record| layout.section(record)).collect::<Option<_>>()?;
    let names_section = all.get(usize::try_from(names).ok()?)?;
    let text = read(names_section.offset, names_section.size.min(MAX_KEPT))?;
    for section in &mut all {
        let name = text.get(section.name_at as usize..)?;
        section.name = name.split(|b| *b == 0).next()?.to_vec();
    }
    let mut end = keep.max(sections_at + table.len() as u64);
    for section in all.iter().filter(|section| section.kind != SHT_NOBITS) {
        let section_end = section.offset.checked_add(section.size)?;
        end = end.max(section_end);
        if section.flags & u64::from(SHF_ALLOC) != 0 {
            keep = keep.max(section_end);
        }
    }
    // What lies behind everything that ELF knows of belongs to the program: an archive, a script.
    if size > end || keep > size {
        return None;
    }
    rewrite(&layout, &mut all, usize::try_from(names).ok()?, keep, &read).and_then(
        |(tail, table_at, count_left, names_left)| {
            layout.put(&mut head, layout.pick(32, 40), keep + table_at)?;
            head.pwrite_with(u16::try_from(count_left).ok()?, layout.pick(48, 60), endian).ok()?;
            head.pwrite_with(u16::try_from(names_left).ok()?, layout.pick(50, 62), endian).ok()?;
            let stripped = Stripped { head: std::mem::take(&mut head), keep, tail };
            (count_left < count && stripped.size() < size).then_some(stripped)
        },
    )
}

/// What comes after the kept bytes: the tail, where the section table lies in it, how many sections there are, and which
/// holds their names.
fn rewrite(
    layout: &Layout,
    all: &mut [Section],
    names: usize,
    keep: u64,
    read: &dyn Fn(u64, u64) -> Option<Vec<u8>>,
) -> Option<(Vec<u8>, u64, usize, usize)> {
    let is_dropped = |section: &Section| {
        let name = String::from_utf8_lossy(&section.name);
        let is_listed = NAMES.contains(&name.as_ref()) || STARTS.iter().any(|start| name.starts_with(start));
        section.flags & u64::from(SHF_ALLOC) == 0 && is_listed
    };
    let mut new_index = vec![0u32; all.len()];
    let mut left = 0u32;
    for (index, section) in all.iter().enumerate() {
        if !is_dropped(section) {
            new_index[index] = left;
            left += 1;
        }
    }
    let mapped = |old: u32| new_index.get(old as usize).copied().unwrap_or(0);
    let mut tail = Vec::new();
    let mut name_table = vec![0];
    let mut kept: Vec<Section> = Vec::new();
    for (index, section) in all.iter().enumerate().filter(|(_, section)| !is_dropped(section)) {
        let mut section = section.clone();
        section.link = mapped(section.link);
        if section.flags & u64::from(SHF_INFO_LINK) != 0 || matches!(section.kind, SHT_REL | SHT_RELA) {
            section.info = mapped(section.info);
        }
        section.name_at = if section.name.is_empty() { 0 } else { u32::try_from(name_table.len()).ok()? };
        if !section.name.is_empty() {
            name_table.extend_from_slice(&section.name);
            name_table.push(0);
        }
        let is_behind = section.kind != SHT_NOBITS && section.offset.checked_add(section.size)? > keep;
        if index != names && is_behind && section.size > 0 {
            if section.size > MAX_KEPT - (tail.len() as u64).min(MAX_KEPT) {
                return None;
            }
            let content = read(section.offset, section.size)?;
            pad(&mut tail, keep, section.align);
            section.offset = keep + tail.len() as u64;
            tail.extend_from_slice(&content);
        }
        kept.push(section);
    }
    let names_left = mapped(u32::try_from(names).ok()?) as usize;
    kept[names_left].offset = keep + tail.len() as u64;
    kept[names_left].size = name_table.len() as u64;
    tail.extend_from_slice(&name_table);
    pad(&mut tail, keep, 8);
    let table_at = tail.len() as u64;
    for section in &kept {
        tail.extend_from_slice(&layout.put_section(section)?);
    }
    Some((tail, table_at, kept.len(), names_left))
}

fn pad(tail: &mut Vec<u8>, keep: u64, align: u64) {
    let align = align.clamp(1, 4096);
    while !(keep + tail.len() as u64).is_multiple_of(align) {
        tail.push(0);
    }
}
