//! Checks the first bytes of a candidate file as a glibc loader does (elf/dl-load.c, `open_verify` and
//! `_dl_map_object_from_fd`).

use std::borrow::Cow;

use crate::elf::{Class, ElfObject, Target};

/// The loader's decision about a file.
pub(super) enum Verdict {
    /// The file is mapped.
    Take,
    /// The search continues.
    Next(Cow<'static, str>),
    /// The process fails: the class of the defect, and the reason.
    Fatal(&'static str, Cow<'static, str>),
}

const EI_PAD: usize = 9;
const OSABI_SYSV: u8 = 0;
const OSABI_GNU: u8 = 3;
/// Upper bound for the `EI_ABIVERSION` that glibc accepts with the GNU OSABI (`LIBC_ABI_MAX`, sysdeps/gnu/ldsodefs.h),
/// with room to spare.
const MAX_GNU_ABI_VERSION: u8 = 16;

/// Checks the identification bytes in the same order as `open_verify`.
pub(super) fn judge_head(head: &[u8], wanted: &Target) -> Verdict {
    let header_size = if wanted.class == Class::Elf64 { 64 } else { 52 };
    if head.len() < header_size {
        return Verdict::Fatal("too-short", "file too short".into());
    }
    if !head.starts_with(b"\x7fELF") {
        return Verdict::Fatal("not-elf", "invalid ELF header (a text or other file under a library's name)".into());
    }
    let class = if wanted.class == Class::Elf64 { 2 } else { 1 };
    if head[4] != class {
        return Verdict::Next(if head[4] == 1 { "wrong ELF class: 32-bit" } else { "wrong ELF class: 64-bit" }.into());
    }
    if (head[5] == 1) != wanted.little_endian {
        return Verdict::Fatal("wrong-byte-order", "wrong byte order".into());
    }
    let number = |at: usize, size: usize| {
        let fold = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        let bytes = &head[at..at + size];
        if wanted.little_endian { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
    };
    if head[6] != 1 || number(20, 4) != 1 {
        return Verdict::Fatal("bad-ident", "ELF file version is not 1".into());
    }
    if head[7] != OSABI_SYSV && head[7] != OSABI_GNU {
        return Verdict::Fatal("bad-ident", "ELF file OS ABI invalid".into());
    }
    if head[8] != 0 && (head[7] != OSABI_GNU || head[8] > MAX_GNU_ABI_VERSION) {
        return Verdict::Fatal("bad-ident", "ELF file ABI version invalid".into());
    }
    if head[EI_PAD..16].iter().any(|b| *b != 0) {
        return Verdict::Fatal("bad-ident", "nonzero padding in e_ident".into());
    }
    let machine = number(18, 2);
    if machine != u32::from(wanted.machine) {
        let name = crate::elf::machine_name(u16::try_from(machine).unwrap_or(0));
        return Verdict::Next(format!("built for {name}").into());
    }
    // ET_EXEC 2, ET_DYN 3.
    if !matches!(number(16, 2), 2 | 3) {
        return Verdict::Fatal("bad-type", "only ET_DYN and ET_EXEC can be loaded".into());
    }
    let flags_at = if wanted.class == Class::Elf64 { 48 } else { 36 };
    if !same_float_abi(number(flags_at, 4), wanted) {
        return Verdict::Next("built for another float ABI".into());
    }
    Verdict::Take
}

/// Compares the float ABI bits of `e_flags`, per machine (each port's `elf_machine_matches_host`).
fn same_float_abi(flags: u32, wanted: &Target) -> bool {
    let mask = match wanted.machine {
        40 => 0x600, // EM_ARM: EF_ARM_ABI_FLOAT_HARD, EF_ARM_ABI_FLOAT_SOFT
        243 => 0x6,  // EM_RISCV: EF_RISCV_FLOAT_ABI
        258 => 0x7,  // EM_LOONGARCH: ABI modifier
        _ => return true,
    };
    // An Arm object that declares no float ABI is compatible with both.
    wanted.machine == 40 && (flags & mask == 0 || wanted.flags & mask == 0) || flags & mask == wanted.flags & mask
}

/// Checks the headers after the file was opened.
pub(super) fn judge_object(elf: &ElfObject) -> Option<(&'static str, &'static str)> {
    if elf.is_exec() {
        return Some(("exec-as-library", "cannot dynamically load executable"));
    }
    if elf.is_pie() {
        return Some(("exec-as-library", "cannot dynamically load position-independent executable"));
    }
    if elf.segments.is_empty() {
        return Some(("bad-load", "object file has no loadable segments"));
    }
    if !elf.has_dynamic {
        return Some(("no-dynamic", "object file has no dynamic section"));
    }
    let misaligned = |segment: &crate::elf::Segment| {
        segment.align > 1 && (segment.address.wrapping_sub(segment.offset)) & (segment.align - 1) != 0
    };
    if elf.segments.iter().any(misaligned) {
        return Some(("bad-load", "ELF load command address/offset not properly aligned"));
    }
    None
}
