//! The section table. Loaders ignore it, but debuggers and strippers use it, and tools store notes in sections (System
//! V ABI, chapter 4, "Sections").

use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG};
use scroll::{Endian, Pread, Pwrite};

use super::Bytes;

/// Maximum number of sections, and maximum size of their names.
const MAX_SECTIONS: usize = 4096;
const MAX_NAMES: u64 = 16 << 20;

/// A file header and its section table.
pub(super) struct Sections {
    pub(super) layout: Layout,
    /// The file header.
    pub(super) head: Vec<u8>,
    /// Offset of the table.
    pub(super) at: u64,
    /// Index of the section that contains the names.
    pub(super) names: usize,
    pub(super) all: Vec<Section>,
}

impl Sections {
    /// Reads the table; `None` if it is missing or incomplete.
    pub(super) fn read(bytes: &(impl Bytes + ?Sized)) -> Option<Self> {
        let ident = exactly(bytes, 0, 16)?;
        if !ident.starts_with(ELFMAG) {
            return None;
        }
        let endian = if ident[EI_DATA] == ELFDATA2LSB { Endian::Little } else { Endian::Big };
        let layout = Layout { endian, is_64: ident[EI_CLASS] == ELFCLASS64 };
        let head = exactly(bytes, 0, layout.pick(52, 64) as u64)?;
        let at = layout.word(&head, layout.pick(32, 40))?;
        let half = |small: usize, large: usize| layout.half(&head, layout.pick(small, large)).map(usize::from);
        let (size, count, names) = (half(46, 58)?, half(48, 60)?, half(50, 62)?);
        if !(1..=MAX_SECTIONS).contains(&count) || size != layout.section_size() {
            return None;
        }
        let table = exactly(bytes, at, (count * size) as u64)?;
        let mut all: Vec<Section> =
            table.chunks_exact(size).map(|record| layout.section(record)).collect::<Option<_>>()?;
        let held = all.get(names)?;
        let text = exactly(bytes, held.offset, held.size.min(MAX_NAMES))?;
        for section in &mut all {
            let name = text.get(section.name_at as usize..)?;
            section.name = name.split(|b| *b == 0).next()?.to_vec();
        }
        Some(Self { layout, head, at, names, all })
    }

    /// The first section with this name.
    pub(super) fn named(&self, name: &[u8]) -> Option<&Section> {
        self.all.iter().find(|section| section.name == name)
    }
}

/// Reads exactly `length` bytes; `None` if the file is too short.
pub(super) fn exactly(bytes: &(impl Bytes + ?Sized), offset: u64, length: u64) -> Option<Vec<u8>> {
    if offset.checked_add(length)? > bytes.size() {
        return None;
    }
    let mut buffer = vec![0; usize::try_from(length).ok()?];
    (bytes.read_at(offset, &mut buffer).ok()? == buffer.len()).then_some(buffer)
}

/// A section header, the same for both classes.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    pub(super) name: Vec<u8>,
    pub(super) name_at: u32,
    pub(super) kind: u32,
    pub(super) flags: u64,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
    pub(super) info: u32,
    pub(super) align: u64,
    pub(super) entry: u64,
}

/// Positions of the fields in each class.
pub(super) struct Layout {
    pub(super) endian: Endian,
    is_64: bool,
}

impl Layout {
    pub(super) fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        if self.is_64 {
            bytes.pread_with(at, self.endian).ok()
        } else {
            bytes.pread_with::<u32>(at, self.endian).ok().map(u64::from)
        }
    }

    pub(super) fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.pread_with(at, self.endian).ok()
    }

    /// Size of a section header.
    pub(super) fn section_size(&self) -> usize {
        self.pick(40, 64)
    }

    pub(super) fn pick(&self, small: usize, large: usize) -> usize {
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

    pub(super) fn put(&self, out: &mut [u8], at: usize, value: u64) -> Option<()> {
        if self.is_64 {
            out.pwrite_with(value, at, self.endian).ok()?;
        } else {
            out.pwrite_with(u32::try_from(value).ok()?, at, self.endian).ok()?;
        }
        Some(())
    }

    pub(super) fn put_section(&self, section: &Section) -> Option<Vec<u8>> {
        let mut out = vec![0; self.section_size()];
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
