//! ELF objects: the information that a loader uses, parsed from small ranges of the file.
//!
//! The parsers take bytes and open no files. Names are bytes, not text, because a soname need not be UTF-8. goblin
//! supplies the constants and the record layouts. The choice of tables and the limits are made here, following
//! the kernel and the loaders (goblin's own lists drop unreadable entries).

mod build_info;
mod code;
mod note;
mod parse;
mod sections;
mod strip;
mod symbols;
mod version;
mod window;

use std::io;

pub use build_info::{BuildInfo, parse_build_info};
pub use code::{CodeMap, parse_code};
pub use note::{DlopenNote, Priority};
pub use parse::parse;
pub use strip::{Stripped, strip};
pub use symbols::{RelocationTable, Symbol, SymbolTables, Symbols, parse_imports, parse_symbols};
pub use version::{DefinedVersion, Versions, WantedVersion, WantedVersions, parse_versions};

/// A source of bytes that can be read in ranges.
pub trait Bytes {
    /// Length in bytes.
    fn size(&self) -> u64;

    /// Reads from `offset`; returns fewer bytes than requested only at the end.
    ///
    /// # Errors
    /// Any I/O error.
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

/// The ELF class: 32 or 64 bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// ELFCLASS32.
    Elf32,
    /// ELFCLASS64.
    Elf64,
}

/// Properties that two objects must share to be in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// 32 or 64 bit.
    pub class: Class,
    /// True for little-endian byte order.
    pub little_endian: bool,
    /// `e_machine`.
    pub machine: u16,
    /// `e_flags`, which contains the float ABI on some machines.
    pub flags: u32,
}

/// A dependency declared in the dynamic section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The tag that declares it.
    pub kind: WantKind,
    /// The name as written.
    pub name: Vec<u8>,
}

/// Tags that make a loader load another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantKind {
    /// DT_NEEDED.
    Needed,
    /// DT_FILTER: like DT_NEEDED, but its symbols take precedence over those of the object.
    Filter,
    /// DT_AUXILIARY: optional.
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

/// The contents of an ELF file that matter to the kernel and a loader.
#[derive(Clone, Debug)]
pub struct ElfObject {
    /// Machine, class and byte order.
    pub target: Target,
    /// `e_type`.
    pub kind: u16,
    /// EI_OSABI.
    pub os_abi: u8,
    /// The first PT_INTERP.
    pub interp: Option<Vec<u8>>,
    /// Why the kernel refuses to start it: its PT_INTERP is damaged. The loader does not read that of a library.
    pub interp_defect: Option<Malformed>,
    /// Loaded segments.
    pub segments: Vec<Segment>,
    /// True if there is a PT_DYNAMIC.
    pub has_dynamic: bool,
    /// DT_SONAME.
    pub soname: Option<Vec<u8>>,
    /// DT_NEEDED, DT_FILTER and DT_AUXILIARY in file order.
    pub wants: Vec<Want>,
    /// DT_RPATH.
    pub rpath: Option<Vec<u8>>,
    /// DT_RUNPATH.
    pub runpath: Option<Vec<u8>>,
    /// DT_AUDIT and DT_DEPAUDIT, both colon-separated lists.
    pub audit: Vec<Vec<u8>>,
    /// DT_FLAGS.
    pub flags: u64,
    /// DT_FLAGS_1.
    pub flags_1: u64,
    /// True for DT_RELR, compact relative relocations, which older loaders do not support.
    pub has_relr: bool,
    /// DT_REL, DT_RELA and DT_JMPREL.
    pub relocations: Vec<RelocationTable>,
    /// Location of the dynamic symbols; `None` if there are none.
    pub symbols: Option<SymbolTables>,
    /// Required x86 levels as a bit mask (GNU_PROPERTY_X86_ISA_1_NEEDED); 0 if not specified.
    pub isa_needed: u32,
    /// Libraries that the object may open later, from its `.note.dlopen` notes.
    pub dlopen: Vec<DlopenNote>,
    /// Defects that the loader ignores but that the user may want to know.
    pub oddities: Vec<Malformed>,
}

impl ElfObject {
    /// True for DF_1_PIE: an executable, although its type is that of a library.
    pub fn is_pie(&self) -> bool {
        self.flags_1 & goblin::elf::dynamic::DF_1_PIE != 0
    }

    /// True for DF_1_NODEFLIB: dependencies are searched neither in the default directories nor in cache entries below
    /// them.
    pub fn is_nodeflib(&self) -> bool {
        self.flags_1 & goblin::elf::dynamic::DF_1_NODEFLIB != 0
    }

    /// True if all symbols, including PLT slots, are bound at start-up (DF_BIND_NOW, DF_1_NOW).
    pub fn is_bound_now(&self) -> bool {
        self.flags & goblin::elf::dynamic::DF_BIND_NOW != 0 || self.flags_1 & goblin::elf::dynamic::DF_1_NOW != 0
    }

    /// The x86-64 level that the object declares as required, if above the baseline (x86-64 psABI, "Program Property").
    pub fn isa_level(&self) -> Option<u32> {
        (self.isa_needed > 1).then(|| self.isa_needed.ilog2() + 1)
    }

    /// True for ET_REL: an object file for the linker, which no loader opens.
    pub fn is_relocatable(&self) -> bool {
        self.kind == goblin::elf::header::ET_REL
    }

    /// True for ET_EXEC: an executable at a fixed address.
    pub fn is_exec(&self) -> bool {
        self.kind == goblin::elf::header::ET_EXEC
    }

    /// True for a program that runs without a loader: it has no PT_INTERP, and it is ET_EXEC, or marked as PIE, or
    /// without dependencies.
    pub fn is_static_program(&self) -> bool {
        self.interp.is_none() && (self.is_exec() || self.is_pie() || self.wants.is_empty() && self.soname.is_none())
    }

    /// DT_NEEDED names in file order.
    pub fn needed(&self) -> impl Iterator<Item = &[u8]> {
        self.wants.iter().filter(|want| want.kind == WantKind::Needed).map(|want| want.name.as_slice())
    }
}

/// Why a file is not a usable ELF object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The class of the defect, such as `truncated`.
    pub class: &'static str,
    /// Offset in the file.
    pub offset: u64,
    /// Description in one sentence.
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

/// The user-visible name of a machine, as printed by `uname -m`.
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

/// The machine number of LoongArch, for which goblin has no short name (ELF psABI for LoongArch).
pub const EM_LOONGARCH: u16 = 258;

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = if self.class == Class::Elf64 { 64 } else { 32 };
        let order = if self.little_endian { "little" } else { "big" };
        write!(f, "{} ({bits}-bit, {order}-endian)", machine_name(self.machine))
    }
}
