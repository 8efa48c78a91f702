//! ELF objects: what a loader reads of a file, parsed from small ranges of it.
//!
//! Parsers here take bytes and open nothing. Names are bytes, not text: nothing says that a soname is UTF-8.
//! goblin gives the constants and the record layouts; which table counts and what is a limit is decided here, as
//! the kernel and the loaders decide it (goblin's own lists drop what they cannot read).

mod build_info;
mod note;
mod parse;
mod sections;
mod strip;
mod symbols;
mod version;
mod window;

use std::io;

pub use build_info::{BuildInfo, parse_build_info};
pub use note::{DlopenNote, Priority};
pub use parse::parse;
pub use strip::{Stripped, strip};
pub use symbols::{RelocationTable, Symbol, SymbolTables, Symbols, parse_imports, parse_symbols};
pub use version::{DefinedVersion, Versions, WantedVersion, WantedVersions, parse_versions};

/// Something that can be read by ranges.
pub trait Bytes {
    /// Length in bytes.
    fn size(&self) -> u64;

    /// Reads from `offset` on; fewer bytes than asked for only at the end.
    ///
    /// # Errors
    /// Whatever reading gives.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Bytes for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let length = buffer.len().min(self.len() - from);
        buffer[..length].copy_from_slice(&self[from..from + length]);
        Ok(length)
    }
}

/// 32 or 64 bit, the ELF class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// ELFCLASS32.
    Elf32,
    /// ELFCLASS64.
    Elf64,
}

/// What decides whether two objects can be in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// 32 or 64 bit.
    pub class: Class,
    /// Whether numbers are stored with the low byte first.
    pub little_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// `e_flags`: tells the float ABI on some machines.
    pub flags: u32,
}

/// A want that an object states in its dynamic section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which tag states it.
    pub kind: WantKind,
    /// The name as written.
    pub name: Vec<u8>,
}

/// The tags that make a loader look for another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantKind {
    /// DT_NEEDED.
    Needed,
    /// DT_FILTER: like a need, but ahead of the object in symbol order.
    Filter,
    /// DT_AUXILIARY: loaded if found.
    Auxiliary,
}

/// A segment that is loaded (PT_LOAD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Offset in the file.
    pub offset: u64,
    /// Address it is loaded at.
    pub address: u64,
    /// Bytes in the file.
    pub size: u64,
    /// PF_X, PF_W, PF_R.
    pub flags: u32,
    /// Required alignment.
    pub align: u64,
}

/// What an ELF file says to a kernel and a loader.
#[derive(Clone, Debug)]
pub struct ElfObject {
    /// Machine, class and byte order.
    pub target: Target,
    /// `e_type`.
    pub kind: u16,
    /// EI_OSABI.
    pub os_abi: u8,
    /// PT_INTERP, the first one.
    pub interp: Option<Vec<u8>>,
    /// Loaded segments.
    pub segments: Vec<Segment>,
    /// Whether there is a PT_DYNAMIC.
    pub has_dynamic: bool,
    /// DT_SONAME.
    pub soname: Option<Vec<u8>>,
    /// DT_NEEDED, DT_FILTER and DT_AUXILIARY in file order.
    pub wants: Vec<Want>,
    /// DT_RPATH.
    pub rpath: Option<Vec<u8>>,
    /// DT_RUNPATH.
    pub runpath: Option<Vec<u8>>,
    /// DT_AUDIT and DT_DEPAUDIT, colon lists.
    pub audit: Vec<Vec<u8>>,
    /// DT_FLAGS.
    pub flags: u64,
    /// DT_FLAGS_1.
    pub flags_1: u64,
    /// DT_RELR, relocations in the compact form, which older loaders do not know.
    pub has_relr: bool,
    /// DT_REL, DT_RELA and DT_JMPREL.
    pub relocations: Vec<RelocationTable>,
    /// Where the dynamic symbols lie; `None` for an object without.
    pub symbols: Option<SymbolTables>,
    /// Bits of the x86 levels that the object needs (GNU_PROPERTY_X86_ISA_1_NEEDED); 0 says nothing.
    pub isa_needed: u32,
    /// What `.note.dlopen` notes say the object may open later.
    pub dlopen: Vec<DlopenNote>,
    /// Defects that the loader passes over but the user may want to hear of.
    pub oddities: Vec<Malformed>,
}

impl ElfObject {
    /// DF_1_PIE: a program, although its type is that of a library.
    pub fn is_pie(&self) -> bool {
        self.flags_1 & goblin::elf::dynamic::DF_1_PIE != 0
    }

    /// DF_1_NODEFLIB: neither the default directories nor the cache's files below them answer its needs.
    pub fn is_nodeflib(&self) -> bool {
        self.flags_1 & goblin::elf::dynamic::DF_1_NODEFLIB != 0
    }

    /// Whether all symbols are bound at the start, PLT slots too (DF_BIND_NOW, DF_1_NOW).
    pub fn is_bound_now(&self) -> bool {
        self.flags & goblin::elf::dynamic::DF_BIND_NOW != 0 || self.flags_1 & goblin::elf::dynamic::DF_1_NOW != 0
    }

    /// The x86-64 level that the object is marked as needing, above the baseline (x86-64 psABI, "Program Property").
    pub fn isa_level(&self) -> Option<u32> {
        (self.isa_needed > 1).then(|| self.isa_needed.ilog2() + 1)
    }

    /// ET_REL: an object file for the linker, which no loader opens.
    pub fn is_relocatable(&self) -> bool {
        self.kind == goblin::elf::header::ET_REL
    }

    /// ET_EXEC: a program at a fixed address.
    pub fn is_exec(&self) -> bool {
        self.kind == goblin::elf::header::ET_EXEC
    }

    /// A program that runs without a loader: no PT_INTERP, and either ET_EXEC, or marked as position-independent
    /// program, or without needs (elf-resolution §2.4).
    pub fn is_static_program(&self) -> bool {
        self.interp.is_none() && (self.is_exec() || self.is_pie() || self.wants.is_empty() && self.soname.is_none())
    }

    /// DT_NEEDED names in file order.
    pub fn needed(&self) -> impl Iterator<Item = &[u8]> {
        self.wants.iter().filter(|want| want.kind == WantKind::Needed).map(|want| want.name.as_slice())
    }
}

/// Why a file is no usable ELF object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The class of defect, such as `truncated`; the classes of elf-resolution §10.
    pub class: &'static str,
    /// Where in the file.
    pub offset: u64,
    /// One sentence.
    pub says: String,
}

impl Malformed {
    pub(crate) fn new(class: &'static str, offset: u64, says: impl Into<String>) -> Self {
        Self { class, offset, says: says.into() }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at byte {})", self.says, self.offset)
    }
}

/// The word for a machine that users know, as `uname -m` prints it.
pub fn machine_name(machine: u16) -> String {
    use goblin::elf::header as h;
    let known = match machine {
        h::EM_X86_64 => "x86_64",
        h::EM_386 => "i386",
        h::EM_AARCH64 => "aarch64",
        h::EM_ARM => "arm",
        h::EM_RISCV => "riscv",
        h::EM_PPC64 => "ppc64",
        h::EM_PPC => "ppc",
        h::EM_S390 => "s390",
        h::EM_MIPS => "mips",
        h::EM_SPARCV9 => "sparc64",
        EM_LOONGARCH => "loongarch",
        other => return format!("machine {other}"),
    };
    known.to_owned()
}

/// LoongArch's number, which goblin's table lacks a short name for (ELF psABI for LoongArch).
pub const EM_LOONGARCH: u16 = 258;

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = if self.class == Class::Elf64 { 64 } else { 32 };
        let order = if self.little_endian { "little" } else { "big" };
        write!(f, "{} ({bits}-bit, {order}-endian)", machine_name(self.machine))
    }
}
