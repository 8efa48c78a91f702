//! glibc's names for machines: CPU levels, the platform name, the flags of cache entries.

use crate::elf::{Class, Target, machine_name};

const X86: [&str; 3] = ["x86-64-v4", "x86-64-v3", "x86-64-v2"];
const POWER: [&str; 2] = ["power10", "power9"];
const S390: [&str; 5] = ["z17", "z16", "z15", "z14", "z13"];
/// All CPU levels known to glibc, by machine.
pub const CPU_LEVELS: [&[&str]; 3] = [&X86, &POWER, &S390];

/// CPU levels of a machine, best first, as directories below `glibc-hwcaps` (each port's `dl-hwcap`).
pub(super) fn levels(target: &Target) -> &'static [&'static str] {
    match machine_name(target.machine).as_str() {
        "x86_64" if target.class == Class::Elf64 => &X86,
        "ppc64" if target.little_endian => &POWER,
        "s390" if target.class == Class::Elf64 => &S390,
        _ => &[],
    }
}

/// AT_PLATFORM of the baseline machine.
pub(super) fn platform(target: &Target) -> Vec<u8> {
    match machine_name(target.machine).as_str() {
        "i386" => b"i686".to_vec(),
        name => name.as_bytes().to_vec(),
    }
}

/// The flags of cache entries for this ABI (sysdeps/generic/ldconfig.h and each port's `dl-cache.h`).
pub(super) fn cache_flags(target: &Target) -> i32 {
    const ELF_LIBC6: i32 = 3;
    const ARM_HARD: u32 = 0x400;
    let is_64 = target.class == Class::Elf64;
    ELF_LIBC6
        | match (machine_name(target.machine).as_str(), is_64) {
            ("x86_64", true) => 0x300,
            ("x86_64", false) => 0x800,
            ("s390", true) => 0x400,
            ("ppc64", true) => 0x500,
            ("sparc64", true) => 0x100,
            ("arm", _) if target.flags & ARM_HARD != 0 => 0x900,
            ("arm", _) => 0xb00,
            ("aarch64", true) => 0xa00,
            ("riscv", true) if target.flags & 6 == 4 => 0x1000,
            ("riscv", true) => 0xf00,
            ("loongarch", _) if target.flags & 7 == 3 => 0x1200,
            ("loongarch", _) => 0x1100,
            _ => 0,
        }
}
