//! Build information embedded in programs: Go's build information (Go, `debug/buildinfo` and
//! `runtime/debug.ParseBuildInfo`) and the list of crates that cargo-auditable writes (`.dep-v0`, zlib-compressed
//! JSON).

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::sections::Sections;
use super::{Bytes, ElfObject};

const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
/// Alignment of the record, and offset of inline strings from its start.
const ALIGN: u64 = 16;
const INLINE: u8 = 2;
/// Number of bytes of each writable segment that are searched.
const MAX_SEARCHED: usize = 1 << 20;
const MAX_TEXT: u64 = 4 << 20;
/// Length of the markers before and after the module list.
const MARK: usize = 16;
const MAX_PACKED: u64 = 4 << 20;
const MAX_CRATES: u64 = 32 << 20;

/// Record of a program about how it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BuildInfo {
    /// The toolchain, such as `go1.19.8`; `None` if it is not recorded.
    pub toolchain: Option<String>,
    /// Go module paths or crate names, each with its version.
    pub modules: BTreeMap<String, String>,
    /// Build settings, such as CGO_ENABLED and -tags.
    pub settings: BTreeMap<String, String>,
}

/// Reads the build information of a program; `None` if there is none, or if its format is unknown.
pub fn parse_build_info(bytes: &(impl Bytes + ?Sized), object: &ElfObject) -> Option<BuildInfo> {
    let file = File { bytes, object, sections: Sections::read(bytes) };
    file.go().or_else(|| file.crates())
}

struct File<'a, B: Bytes + ?Sized> {
    bytes: &'a B,
    object: &'a ElfObject,
    sections: Option<Sections>,
}

impl<B: Bytes + ?Sized> File<'_, B> {
    fn range(&self, offset: u64, size: u64) -> Option<Vec<u8>> {
        let size = size.min(self.bytes.size().checked_sub(offset)?);
        let mut buffer = vec![0; usize::try_from(size).ok()?];
        let read = self.bytes.read_at(offset, &mut buffer).ok()?;
        buffer.truncate(read);
        Some(buffer)
    }

    /// Reads the file's bytes at a memory address.
    fn at(&self, address: u64, size: u64) -> Option<Vec<u8>> {
        let segment = self
            .object
            .segments
            .iter()
            .find(|segment| address >= segment.address && address - segment.address < segment.size)?;
        let into = address - segment.address;
        self.range(segment.offset + into, size.min(segment.size - into))
    }

    fn go(&self) -> Option<BuildInfo> {
        const WRITABLE: u32 = 2;
        // A section table without this section means that there is nothing to find.
        if self.sections.as_ref().is_some_and(|sections| sections.named(b".go.buildinfo").is_none()) {
            return None;
        }
        let writable = self.object.segments.iter().filter(|segment| segment.flags & WRITABLE != 0);
        for segment in writable {
            let data = self.range(segment.offset, segment.size.min(MAX_SEARCHED as u64))?;
            let is_aligned = |at: &usize| segment.address.wrapping_add(*at as u64).is_multiple_of(ALIGN);
            let Some(at) = memchr::memmem::find_iter(&data, MAGIC).find(is_aligned) else { continue };
            let (pointer, flags) = (usize::from(*data.get(at + 14)?), *data.get(at + 15)?);
            let (version, modules) = if flags & INLINE != 0 {
                let mut rest = self.range(segment.offset + at as u64 + 2 * ALIGN, MAX_TEXT)?;
                let version = inline(&mut rest)?;
                (version, inline(&mut rest).unwrap_or_default())
            } else {
                let head = self.range(segment.offset + at as u64 + ALIGN, 16)?;
                let is_little = flags & 1 == 0;
                let string =
                    |index: usize| self.string(number(&head, index * pointer, pointer, is_little)?, pointer, is_little);
                (string(0)?, string(1).unwrap_or_default())
            };
            return Some(listed(&String::from_utf8_lossy(&version), &modules));
        }
        None
    }

    /// A Go string. Its header, at the given address, is a pointer and a length.
    fn string(&self, header: u64, pointer: usize, is_little: bool) -> Option<Vec<u8>> {
        let head = self.at(header, 2 * pointer as u64)?;
        let (address, size) = (number(&head, 0, pointer, is_little)?, number(&head, pointer, pointer, is_little)?);
        self.at(address, size.min(MAX_TEXT))
    }

    fn crates(&self) -> Option<BuildInfo> {
        let section = self.sections.as_ref()?.named(b".dep-v0")?;
        let packed = self.range(section.offset, section.size.min(MAX_PACKED))?;
        let mut text = Vec::new();
        flate2::read::ZlibDecoder::new(&packed[..]).take(MAX_CRATES).read_to_end(&mut text).ok()?;
        let listed: Crates = serde_json::from_slice(&text).ok()?;
        let at_run_time = listed.packages.into_iter().filter(|package| package.kind.as_deref() != Some("build"));
        let modules = at_run_time.map(|package| (package.name, package.version)).collect();
        Some(BuildInfo { modules, ..BuildInfo::default() })
    }
}

#[derive(Deserialize)]
struct Crates {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    kind: Option<String>,
}

fn number(bytes: &[u8], at: usize, size: usize, is_little: bool) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?).filter(|bytes| (1..=8).contains(&bytes.len()))?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
}

/// Reads a string that is preceded by its length, encoded with seven bits per byte.
fn inline(rest: &mut Vec<u8>) -> Option<Vec<u8>> {
    let width = rest.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let size = rest[..width].iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
    let end = width.checked_add(usize::try_from(size).ok()?)?;
    let text = rest.get(width..end)?.to_vec();
    rest.drain(..end);
    Some(text)
}

/// Parses a module list: `dep PATH VERSION SUM`, `=> PATH VERSION SUM` for the replacement of the previous module,
/// `build KEY=VALUE`.
fn listed(version: &str, modules: &[u8]) -> BuildInfo {
    let is_marked = modules.len() > 2 * MARK && modules[modules.len() - MARK - 1] == b'\n';
    let text = String::from_utf8_lossy(if is_marked { &modules[MARK..modules.len() - MARK] } else { &[] }).into_owned();
    let mut found = BuildInfo { toolchain: Some(version.to_owned()), ..BuildInfo::default() };
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        match words.as_slice() {
            // A replacement may be a directory, which is not a module path.
            ["=>", path, ..] if path.starts_with(['.', '/']) => {}
            ["mod" | "dep" | "=>", path, version, ..] => {
                found.modules.insert((*path).to_owned(), (*version).to_owned());
            }
            ["build", setting] => {
                if let Some((name, value)) = setting.split_once('=') {
                    found.settings.insert(name.trim_matches('"').to_owned(), value.trim_matches('"').to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_seven_bits_a_byte() {
        let mut rest = vec![0x83, 0x00, b'a', b'b', b'c', 1, b'd'];
        assert_eq!(inline(&mut rest).as_deref(), Some(&b"abc"[..]));
        assert_eq!(inline(&mut rest).as_deref(), Some(&b"d"[..]));
        assert_eq!(inline(&mut vec![0x80; 20]), None);
        assert_eq!(inline(&mut vec![5, b'a']), None);
    }

    #[test]
    fn lines_of_modules_and_settings() {
        let text = format!("{0}path\tx\ndep\ta.b/c\tv1.0.0\th1:\nbuild\t-tags=timetzdata\n{0}", "0123456789abcdef");
        let found = listed("go1.20", text.as_bytes());
        assert_eq!(found.modules.get("a.b/c").map(String::as_str), Some("v1.0.0"));
        assert_eq!(found.settings.get("-tags").map(String::as_str), Some("timetzdata"));
        assert!(listed("go1.20", b"short").modules.is_empty());
    }
}
