//! Symbol versions that an object defines and requires (gABI extension "Symbol Versioning", LSB Core, chapter 10.7).
//! They are read from the dynamic tags alone, so that stripped files without section headers are covered.

use super::window::Window;
use super::{Bytes, ElfObject, Malformed};

/// The base definition: it identifies the object itself, not a version of its symbols.
const VER_FLG_BASE: u16 = 1;
/// An optional version.
const VER_FLG_WEAK: u16 = 2;
/// The only known revision of both tables.
const REVISION: u16 = 1;
/// Flag in a version index: the symbol does not match references without a version.
pub(super) const HIDDEN: u16 = 0x8000;
/// Maximum number of records per table.
const MAX_RECORDS: usize = 1 << 16;
/// Maximum length of a version name.
const MAX_NAME: usize = 4096;

/// The version tables of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// DT_VERDEF; `None` if there is none, in which case the loader accepts any version.
    pub defined: Option<Vec<DefinedVersion>>,
    /// DT_VERNEED.
    pub wanted: Vec<WantedVersions>,
}

/// A version that an object defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinedVersion {
    /// The name, such as `GLIBC_2.34`.
    pub name: Vec<u8>,
    /// The hash as stored, which the loader compares before the name.
    pub hash: u32,
    /// The index in DT_VERSYM.
    pub index: u16,
    /// True for the base definition.
    pub is_base: bool,
}

/// The versions that an object requires of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedVersions {
    /// The DT_NEEDED name of the file.
    pub file: Vec<u8>,
    /// The required versions.
    pub versions: Vec<WantedVersion>,
}

/// A required version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedVersion {
    /// Its name.
    pub name: Vec<u8>,
    /// Its hash as stored.
    pub hash: u32,
    /// Its index in DT_VERSYM.
    pub index: u16,
    /// True if the version is optional.
    pub is_weak: bool,
}

/// Reads the version tables of an object.
///
/// # Errors
/// `bad-version-table` for a table of an unknown revision or with a backward offset, `truncated` and `bad-string`.
pub fn parse_versions(bytes: &(impl Bytes + ?Sized), object: &ElfObject) -> Result<Versions, Malformed> {
    let Some(tables) = object.symbols else { return Ok(Versions::default()) };
    let mut records = Window::new(bytes, object.target.little_endian);
    let mut strings = Window::around(bytes, object.target.little_endian);
    let mut text = |offset: u32| {
        if u64::from(offset) >= tables.strings.1 {
            let says = "the name of a version starts outside of its string table";
            return Err(Malformed::new("bad-string", tables.strings.0, says));
        }
        strings.string(tables.strings.0.saturating_add(u64::from(offset)), MAX_NAME)
    };
    let mut found = Versions::default();
    if let Some(start) = tables.defined_versions {
        let mut defined = Vec::new();
        let mut at = start;
        loop {
            // vd_version, vd_flags, vd_ndx, vd_cnt, vd_hash, vd_aux, vd_next
            let record = records.record::<20>(at)?;
            if record.half(0) != REVISION {
                return Err(unknown_revision(at, "definitions", record.half(0)));
            }
            // The first name is the version's own; the others are its parents.
            let aux = records.record::<8>(at.saturating_add(u64::from(record.word(12))))?;
            defined.push(DefinedVersion {
                name: text(aux.word(0))?,
                hash: record.word(8),
                index: record.half(4) & !HIDDEN,
                is_base: record.half(2) & VER_FLG_BASE != 0,
            });
            match next(at, record.word(16), defined.len())? {
                Some(next) => at = next,
                None => break,
            }
        }
        found.defined = Some(defined);
    }
    if let Some(start) = tables.wanted_versions {
        let mut at = start;
        loop {
            // vn_version, vn_cnt, vn_file, vn_aux, vn_next
            let record = records.record::<16>(at)?;
            if record.half(0) != REVISION {
                return Err(unknown_revision(at, "needs", record.half(0)));
            }
            let mut wanted = WantedVersions { file: text(record.word(4))?, versions: Vec::new() };
            let mut aux_at = at.saturating_add(u64::from(record.word(8)));
            loop {
                // vna_hash, vna_flags, vna_other, vna_name, vna_next
                let aux = records.record::<16>(aux_at)?;
                wanted.versions.push(WantedVersion {
                    name: text(aux.word(8))?,
                    hash: aux.word(0),
                    index: aux.half(6) & !HIDDEN,
                    is_weak: aux.half(4) & VER_FLG_WEAK != 0,
                });
                match next(aux_at, aux.word(12), wanted.versions.len())? {
                    Some(next) => aux_at = next,
                    None => break,
                }
            }
            found.wanted.push(wanted);
            match next(at, record.word(12), found.wanted.len())? {
                Some(next) => at = next,
                None => break,
            }
        }
    }
    Ok(found)
}

/// The offset of the next record. Offsets only increase, so a chain cannot loop.
fn next(at: u64, step: u32, seen: usize) -> Result<Option<u64>, Malformed> {
    if step == 0 {
        return Ok(None);
    }
    if seen >= MAX_RECORDS {
        return Err(Malformed::new("bad-version-table", at, format!("a version table has over {MAX_RECORDS} records")));
    }
    at.checked_add(u64::from(step)).map(Some).ok_or_else(|| Malformed::new("bad-version-table", at, "it runs off"))
}

fn unknown_revision(at: u64, what: &str, revision: u16) -> Malformed {
    Malformed::new("bad-version-table", at, format!("its version {what} are of revision {revision}"))
}
