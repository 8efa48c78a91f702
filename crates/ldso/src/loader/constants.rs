//! Build-time constants of a loader, extracted from its file: family, release, default directories and `$LIB`.

use memchr::{memchr, memmem};

use crate::elf::{Class, ElfObject};

/// The C library of a loader; each has its own rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// GNU.
    Glibc,
    /// musl.
    Musl,
    /// Unknown. The glibc rules apply, but every result is a guess.
    Unknown,
}

/// Build-time constants of a loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderConstants {
    /// The C library.
    pub family: Family,
    /// `(2, N)` for glibc 2.N; `None` if unknown, as before 2.33.
    pub release: Option<(u32, u32)>,
    /// True if it searches `glibc-hwcaps` (since 2.33).
    pub has_hwcaps: bool,
    /// Default directories, each with a trailing slash.
    pub default_dirs: Vec<Vec<u8>>,
    /// True if the default directories are guessed from the machine.
    pub dirs_guessed: bool,
    /// The value of `$LIB`.
    pub lib: Vec<u8>,
    /// The loader that this one only launches, as gcompat's shim launches musl's.
    pub shim_for: Option<Vec<u8>>,
    /// musl: the default system path, a colon-separated list.
    pub system_path: Vec<u8>,
    /// musl: the file with the system path, relative to the prefix, such as `/etc/ld-musl-x86_64.path`.
    pub path_file: Vec<u8>,
}

/// Maximum number of constant segments that are read; real loaders have one.
const MAX_CONSTANTS: usize = 4;
/// Segment flags (gABI, chapter 5).
const PF_X: u32 = 1;
const PF_W: u32 = 2;

/// The library that gcompat's shim makes musl's loader preload (gcompat, loader/loader.c).
pub(super) const SHIM_PRELOAD: &[u8] = b"libgcompat.so.0";

/// Extracts the constants from a loader of the given size; `range` reads its bytes (offset, length).
///
/// Newer linkers put constants into a separate segment. Older ones put them after the code, in which case the whole
/// file is read.
pub(super) fn read_constants<E>(
    size: usize,
    elf: &ElfObject,
    range: impl Fn(u64, usize) -> Result<Vec<u8>, E>,
) -> Result<LoaderConstants, E> {
    let read_only = elf.segments.iter().filter(|segment| segment.flags & (PF_X | PF_W) == 0 && segment.offset > 0);
    for segment in read_only.take(MAX_CONSTANTS) {
        let bytes = range(segment.offset, usize::try_from(segment.size).unwrap_or(size).min(size))?;
        let constants = constants_of(&bytes, system_dirs(&bytes, elf), elf);
        if constants.family != Family::Unknown && !constants.dirs_guessed {
            return Ok(constants);
        }
    }
    let bytes = range(0, size)?;
    let dirs = unwritable(&bytes, elf).find_map(|data| system_dirs(data, elf));
    Ok(constants_of(&bytes, dirs, elf))
}

fn unwritable<'a>(bytes: &'a [u8], elf: &ElfObject) -> impl Iterator<Item = &'a [u8]> {
    elf.segments.iter().filter(|segment| segment.flags & PF_W == 0).filter_map(|segment| {
        let from = usize::try_from(segment.offset).ok()?;
        bytes.get(from..from.checked_add(usize::try_from(segment.size).ok()?)?)
    })
}

/// Extracts the constants from bytes of the loader; `read` are the default directories found in them.
fn constants_of(bytes: &[u8], read: Option<Vec<Vec<u8>>>, elf: &ElfObject) -> LoaderConstants {
    let contains = |needle: &[u8]| memmem::find(bytes, needle).is_some();
    let soname = elf.soname.as_deref().unwrap_or_default();
    let is_glibc_name =
        soname.starts_with(b"ld-linux") || soname == b"ld.so.1" || soname.starts_with(b"ld64.so.") || soname.is_empty();
    let family = if contains(b"/etc/ld-musl-") {
        Family::Musl
    } else if contains(b"/etc/ld.so.cache") && is_glibc_name {
        Family::Glibc
    } else {
        Family::Unknown
    };
    let dirs_guessed = read.is_none() && family != Family::Musl;
    let default_dirs = read.unwrap_or_else(|| upstream_dirs(elf));
    let musl = |is_it: &dyn Fn(&[u8]) -> bool| {
        if family == Family::Musl { strings(bytes).find(|text| is_it(text)) } else { None }
    };
    let lib = default_dirs.first().map(|dir| dir[1..dir.len() - 1].to_vec()).unwrap_or_default();
    LoaderConstants {
        family,
        release: release(bytes),
        shim_for: if family == Family::Unknown && contains(SHIM_PRELOAD) {
            strings(bytes).find(|text| text.starts_with(b"/lib/ld-musl-")).map(<[u8]>::to_vec)
        } else {
            None
        },
        has_hwcaps: contains(b"glibc-hwcaps"),
        default_dirs,
        dirs_guessed,
        lib,
        system_path: musl(&is_musl_path).unwrap_or(b"/lib:/usr/local/lib:/usr/lib").to_vec(),
        path_file: musl(&|text| text.ends_with(b".path") && memmem::find(text, b"/etc/ld-musl-").is_some())
            .and_then(|text| memmem::find(text, b"/etc/ld-musl-").map(|at| text[at..].to_vec()))
            .unwrap_or_default(),
    }
}

fn strings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == 0).filter(|text| !text.is_empty())
}

/// Parses "stable release version 2.N" in glibc's banner.
fn release(bytes: &[u8]) -> Option<(u32, u32)> {
    let banner = b"release version ";
    let rest = &bytes[memmem::find(bytes, banner)? + banner.len()..];
    let text = std::str::from_utf8(&rest[..rest.len().min(16)]).ok()?;
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// True for musl's default path: the only colon-separated list of absolute paths that contains library directories.
fn is_musl_path(text: &[u8]) -> bool {
    text.contains(&b':')
        && text.split(|b| *b == b':').all(|dir| dir.starts_with(b"/") && dir.is_ascii())
        && text.split(|b| *b == b':').any(|dir| dir.ends_with(b"/lib") || dir.ends_with(b"/lib64"))
}

/// Maximum number of default directories; glibc's ports have at most six.
const MAX_DIRS: usize = 16;
/// Maximum number of string sequences that are tried; in real loaders, the right one is among the first ten.
const MAX_TRIES: usize = 256;

/// Finds the default directories: consecutive strings, at least two, that start and end with a slash, in a segment that
/// also contains their lengths as consecutive pointer-sized numbers (`system_dirs` and `system_dirs_len` of
/// elf/dl-load.c).
fn system_dirs(data: &[u8], elf: &ElfObject) -> Option<Vec<Vec<u8>>> {
    let mut runs = slash_runs(data);
    runs.retain(|run| run.len() > 1);
    let has_lengths = |dirs: &[Vec<u8>]| {
        let numbers: Vec<u8> = dirs.iter().flat_map(|dir| number(dir.len() as u64, elf)).collect();
        memmem::find(data, &numbers).is_some()
    };
    // Try longer sequences first: a shorter one may be the tail of the right one, with the same final lengths.
    let lengths = (2..=runs.iter().map(Vec::len).max().unwrap_or(0).min(MAX_DIRS)).rev();
    let mut windows = lengths.flat_map(|length| runs.iter().flat_map(move |run| run.windows(length))).take(MAX_TRIES);
    if let Some(dirs) = windows.find(|dirs| has_lengths(dirs)) {
        return Some(dirs.to_vec());
    }
    runs.dedup();
    match runs.as_slice() {
        [only] if only.len() <= MAX_DIRS => Some(only.clone()),
        _ => None,
    }
}

/// Sequences of NUL-terminated strings that start and end with a slash. Searching for their ends is fast, because these
/// are rare.
fn slash_runs(data: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut runs = Vec::new();
    let mut done = 0;
    for end in memmem::find_iter(data, b"/\0") {
        if end < done {
            continue;
        }
        // Constants that follow code, as in loaders for Arm, have no zero byte before them.
        let start = data[..end].iter().rposition(|b| !b.is_ascii_graphic()).map_or(0, |before| before + 1);
        let mut run = Vec::new();
        let mut at = start;
        while let Some(length) = memchr(0, &data[at..]).filter(|length| *length > 1) {
            let text = &data[at..at + length];
            if !text.starts_with(b"/") || !text.ends_with(b"/") {
                break;
            }
            run.push(text.to_vec());
            at += length;
            at += data[at..].iter().take_while(|b| **b == 0).count();
        }
        done = at;
        runs.push(run);
    }
    runs
}

fn number(value: u64, elf: &ElfObject) -> Vec<u8> {
    let size = if elf.target.class == Class::Elf64 { 8 } else { 4 };
    let mut bytes = value.to_le_bytes()[..size].to_vec();
    if !elf.target.little_endian {
        bytes.reverse();
    }
    bytes
}

/// glibc's upstream defaults, for a loader in which none were found.
fn upstream_dirs(elf: &ElfObject) -> Vec<Vec<u8>> {
    use goblin_machines::{EM_RISCV, IS_LIB64};
    let word = if elf.target.class == Class::Elf64 && elf.target.machine == EM_RISCV {
        "lib64/lp64d"
    } else if elf.target.class == Class::Elf64 && IS_LIB64.contains(&elf.target.machine) {
        "lib64"
    } else {
        "lib"
    };
    vec![format!("/{word}/").into_bytes(), format!("/usr/{word}/").into_bytes()]
}

/// Machine numbers of the ELF gABI, so that this module does not depend on goblin.
mod goblin_machines {
    pub(super) const EM_RISCV: u16 = 243;
    /// x86-64, AArch64, s390x, powerpc64.
    pub(super) const IS_LIB64: [u16; 4] = [62, 183, 22, 21];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_the_banner() {
        let banner = b"\0ld.so (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n\0";
        assert_eq!(release(banner), Some((2, 36)));
        assert_eq!(release(b"nothing"), None);
    }

    #[test]
    fn musl_paths_are_told_from_program_paths() {
        assert!(is_musl_path(b"/lib:/usr/local/lib:/usr/lib"));
        assert!(!is_musl_path(b"/usr/local/bin:/bin:/usr/bin"));
        assert!(!is_musl_path(b"/lib"));
    }

    #[test]
    fn a_file_full_of_directories_is_no_endless_search() {
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(64, 0);
        let elf = crate::elf::parse(head.as_slice()).expect("an object");
        assert_eq!(system_dirs(&b"/a/\0".repeat(100_000), &elf), None);
        assert_eq!(system_dirs(&b"/a/\0/a/\0x\0".repeat(100_000), &elf), Some(vec![b"/a/".to_vec(); 2]));
        let shown = [&b"/lib/\0/usr/lib/\0"[..], &[5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(system_dirs(&shown, &elf), Some(vec![b"/lib/".to_vec(), b"/usr/lib/".to_vec()]));
    }
}
