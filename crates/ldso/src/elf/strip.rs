//! Stripping: removes the parts of a file that no loader, kernel or program reads. Nothing that is loaded moves: the
//! file stays as it is up to the end of its last segment, and only the section table after it is rewritten. This makes
//! it safe even for libraries that wheel tools have patched so that segments are in unusual places.

use goblin::elf::header::{ET_DYN, ET_EXEC};
use goblin::elf::section_header::{SHF_ALLOC, SHF_INFO_LINK, SHT_NOBITS, SHT_REL, SHT_RELA};
use scroll::Pwrite;

use super::Bytes;
use super::sections::{Layout, Section, Sections, exactly};

/// Names of sections that only debuggers and linkers read. Small sections that identify the origin of a file stay.
const NAMES: [&str; 6] =
    [".symtab", ".strtab", ".symtab_shndx", ".gnu_debugdata", ".gdb_index", ".gnu.build.attributes"];
/// Prefixes of further such names.
const STARTS: [&str; 6] = [".debug", ".zdebug", ".stab", ".gnu.lto", ".lto", ".gnu.build.attributes."];
/// Maximum size of the sections that stay but are not loaded.
const MAX_KEPT: u64 = 16 << 20;

/// A stripped file: the original bytes up to `keep` with the beginning replaced by `head`, then `tail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripped {
    /// The new file header.
    pub head: Vec<u8>,
    /// Number of bytes of the original that stay.
    pub keep: u64,
    /// Sections that stay but are not loaded, the section names, and the section table.
    pub tail: Vec<u8>,
}

impl Stripped {
    /// Size of the result.
    pub fn size(&self) -> u64 {
        self.keep + self.tail.len() as u64
    }
}

/// Computes the file without its debug sections and symbol tables. `None` if there is nothing to remove, or if the file
/// contains more than ELF describes (an appended archive, contradictory tables).
pub fn strip(bytes: &(impl Bytes + ?Sized)) -> Option<Stripped> {
    let size = bytes.size();
    let Sections { layout, mut head, at: sections_at, names, all } = Sections::read(bytes)?;
    let kind = layout.half(&head, 16)?;
    if kind != ET_DYN && kind != ET_EXEC {
        return None;
    }
    let count = all.len();
    let mut keep = (head.len() as u64).max(segments_end(bytes, &layout, &head)?);
    let mut end = keep.max(sections_at + (count * layout.section_size()) as u64);
    for section in all.iter().filter(|section| section.kind != SHT_NOBITS) {
        let section_end = section.offset.checked_add(section.size)?;
        end = end.max(section_end);
        if section.flags & u64::from(SHF_ALLOC) != 0 {
            keep = keep.max(section_end);
        }
    }
    // Data after everything that ELF describes belongs to the program: an archive or a script.
    if size > end || keep > size {
        return None;
    }
    let (tail, table_at, count_left, names_left) =
        rewrite(&layout, &all, names, keep, &|offset, length| exactly(bytes, offset, length))?;
    layout.put(&mut head, layout.pick(32, 40), keep + table_at)?;
    head.pwrite_with(u16::try_from(count_left).ok()?, layout.pick(48, 60), layout.endian).ok()?;
    head.pwrite_with(u16::try_from(names_left).ok()?, layout.pick(50, 62), layout.endian).ok()?;
    let stripped = Stripped { head, keep, tail };
    (count_left < count && stripped.size() < size).then_some(stripped)
}

/// End of the part that is loaded or that the kernel reads: the program headers and everything that they refer to.
fn segments_end(bytes: &(impl Bytes + ?Sized), layout: &Layout, head: &[u8]) -> Option<u64> {
    let at = layout.word(head, layout.pick(28, 32))?;
    let size = usize::from(layout.half(head, layout.pick(42, 54))?);
    if size != layout.pick(32, 56) {
        return None;
    }
    let count = usize::from(layout.half(head, layout.pick(44, 56))?);
    let programs = exactly(bytes, at, (count * size) as u64)?;
    let mut end = at + programs.len() as u64;
    for program in programs.chunks_exact(size) {
        let offset = layout.word(program, layout.pick(4, 8))?;
        let length = layout.word(program, layout.pick(16, 32))?;
        end = end.max(offset.checked_add(length)?);
    }
    Some(end)
}

/// Builds the tail. Returns it with the offset of the section table in it, the number of sections, and the index of the
/// name section.
fn rewrite(
    layout: &Layout,
    all: &[Section],
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
