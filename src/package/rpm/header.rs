//! Package headers of rpm: an index of tags, followed by their values (rpm's docs/manual/hregions.md and
//! format_header.md), all big-endian.

/// Tags (rpmtag.h).
pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const LICENCE_NAME: u32 = 1014;
pub(super) const ARCH: u32 = 1022;
pub(super) const OLD_FILE_NAMES: u32 = 1027;
pub(super) const FILE_STATES: u32 = 1029;
pub(super) const FILE_FLAGS: u32 = 1037;
pub(super) const SOURCE_RPM: u32 = 1044;
pub(super) const PROVIDE_NAME: u32 = 1047;
pub(super) const REQUIRE_NAME: u32 = 1049;
pub(super) const DIR_INDEXES: u32 = 1116;
pub(super) const BASE_NAMES: u32 = 1117;
pub(super) const DIR_NAMES: u32 = 1118;
pub(super) const INSTALL_TIME: u32 = 1008;
pub(super) const INSTALL_TID: u32 = 1128;

/// Types of values (rpmtag.h).
const CHAR: u32 = 1;
const INT8: u32 = 2;
const INT16: u32 = 3;
const INT32: u32 = 4;
const STRING: u32 = 6;
const BINARY: u32 = 7;
const STRINGS: u32 = 8;
const TRANSLATED: u32 = 9;

/// Size of the two counts at the start.
const INTRO: usize = 8;
/// Size of an index entry.
const LINE: usize = 16;
/// The limit of rpm itself.
const MAX_TAGS: usize = 0xffff;
/// Maximum number of the values of a tag.
const MAX_VALUES: usize = crate::package::MAX_PATHS;

/// Tags for finding files, owners and relations of packages.
const KEPT: [u32; 15] = [
    NAME,
    VERSION,
    RELEASE,
    EPOCH,
    LICENCE_NAME,
    ARCH,
    OLD_FILE_NAMES,
    FILE_STATES,
    FILE_FLAGS,
    SOURCE_RPM,
    PROVIDE_NAME,
    REQUIRE_NAME,
    DIR_INDEXES,
    BASE_NAMES,
    DIR_NAMES,
];

/// A header, with its bytes.
pub(super) struct Header {
    bytes: Vec<u8>,
    index: Vec<Line>,
    /// Offset of the values.
    values: usize,
}

#[derive(Clone, Copy)]
struct Line {
    tag: u32,
    kind: u32,
    offset: usize,
    count: usize,
}

impl Header {
    /// Parses a header; `None` if it is invalid.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let size = |at: usize| usize::try_from(word(at)?).ok();
        let lines = size(0)?;
        let values = INTRO + lines * LINE;
        if lines > MAX_TAGS || values.checked_add(size(4)?)? > bytes.len() {
            return None;
        }
        let line = |at: usize| {
            Some(Line { tag: word(at)?, kind: word(at + 4)?, offset: size(at + 8)?, count: size(at + 12)? })
        };
        let index = (0..lines).map(|number| line(INTRO + number * LINE)).collect::<Option<_>>()?;
        Some(Self { bytes, index, values })
    }

    /// The header with the tags that are looked up, a fraction of its size; `None` if a tag has too many values.
    pub(super) fn slim(&self) -> Option<Self> {
        let (mut lines, mut values) = (Vec::new(), Vec::new());
        for tag in KEPT {
            let Some((line, at)) = self.line(tag) else { continue };
            let rest = &self.bytes[at..];
            let text = |count: usize| memchr::memchr_iter(0, rest).take(count).last().map_or(0, |end| end + 1);
            let length = match line.kind {
                STRING | TRANSLATED => text(1),
                STRINGS => text(line.count),
                CHAR | INT8 => line.count,
                INT16 => line.count.saturating_mul(2),
                INT32 => line.count.saturating_mul(4),
                _ => continue,
            };
            if line.count > MAX_VALUES || values.len() + length > super::store::MAX_HEADER {
                return None;
            }
            lines.push(Line { offset: values.len(), ..*line });
            values.extend_from_slice(&rest[..length.min(rest.len())]);
        }
        values.shrink_to_fit();
        Some(Self { bytes: values, index: lines, values: 0 })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The index entry of a tag, and the offset of its values.
    fn line(&self, tag: u32) -> Option<(&Line, usize)> {
        let line = self.index.iter().find(|line| line.tag == tag)?;
        Some((line, self.values.checked_add(line.offset).filter(|at| *at <= self.bytes.len())?))
    }

    /// The strings of a tag; of translated strings only the first, for the C locale.
    pub(super) fn texts(&self, tag: u32) -> Vec<&[u8]> {
        let Some((line, at)) = self.line(tag) else { return Vec::new() };
        let count = match line.kind {
            STRING | TRANSLATED => 1,
            STRINGS => line.count.min(MAX_VALUES),
            _ => 0,
        };
        self.bytes[at..].split(|b| *b == 0).take(count).collect()
    }

    /// The first string of a tag.
    pub(super) fn text(&self, tag: u32) -> String {
        self.texts(tag).first().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    }

    /// The numbers of a tag.
    pub(super) fn numbers(&self, tag: u32) -> Vec<u32> {
        let Some((line, at)) = self.line(tag) else { return Vec::new() };
        let width = match line.kind {
            CHAR | INT8 => 1,
            INT16 => 2,
            INT32 => 4,
            _ => return Vec::new(),
        };
        let values = self.bytes[at..].chunks_exact(width).take(line.count.min(MAX_VALUES));
        values.map(|value| value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))).collect()
    }

    /// The value of a binary tag, or of a numeric tag in the machine's byte order, as rpm writes it.
    pub(super) fn binary(&self, tag: u32) -> Vec<u8> {
        match self.line(tag) {
            Some((line, at)) if line.kind == BINARY => self.bytes[at..].iter().take(line.count).copied().collect(),
            Some((line, _)) if line.kind == INT32 => self.numbers(tag).into_iter().flat_map(u32::to_le_bytes).collect(),
            _ => Vec::new(),
        }
    }

    /// The header with changed values of some tags. Values of another length are ignored.
    pub(super) fn with(&self, changes: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (tag, value) in changes {
            let Some((_, at)) = self.line(*tag) else { continue };
            if let Some(place) = bytes.get_mut(at..at.saturating_add(value.len())) {
                place.copy_from_slice(value);
            }
        }
        bytes
    }

    /// Files and directories as directory and name, in the order of all file tags.
    pub(super) fn files(&self) -> Vec<(&[u8], &[u8])> {
        let (dirs, indexes) = (self.texts(DIR_NAMES), self.numbers(DIR_INDEXES));
        let names = self.texts(BASE_NAMES);
        if names.is_empty() {
            let whole = self.texts(OLD_FILE_NAMES).into_iter();
            return whole.filter_map(|path| Some(path.split_at(path.iter().rposition(|b| *b == b'/')? + 1))).collect();
        }
        let dir = |at: usize| {
            let index = usize::try_from(*indexes.get(at)?).ok()?;
            dirs.get(index).copied()
        };
        names.iter().enumerate().map(|(at, name)| (dir(at).unwrap_or_default(), *name)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Builds a header with these tags in rpm's layout.
    pub(in super::super) fn header(tags: &[(u32, u32, Vec<&[u8]>)]) -> Vec<u8> {
        let (mut index, mut values) = (Vec::new(), Vec::new());
        for (tag, kind, items) in tags {
            for number in [*tag, *kind, values.len() as u32, items.len() as u32] {
                index.extend_from_slice(&number.to_be_bytes());
            }
            for item in items {
                values.extend_from_slice(item);
                if matches!(*kind, STRING | STRINGS | TRANSLATED) {
                    values.push(0);
                }
            }
        }
        let counts = [tags.len() as u32, values.len() as u32];
        [counts.map(u32::to_be_bytes).concat(), index, values].concat()
    }

    #[test]
    fn values_are_read_and_lies_are_not() {
        let bytes = header(&[
            (NAME, STRING, vec![b"web"]),
            (BASE_NAMES, STRINGS, vec![b"web", b"text"]),
            (DIR_NAMES, STRINGS, vec![b"/usr/bin/", b"/srv/"]),
            (DIR_INDEXES, INT32, vec![&[0, 0, 0, 1], &[0, 0, 0, 9]]),
            (FILE_STATES, CHAR, vec![&[0], &[2]]),
        ]);
        let header = Header::parse(bytes.clone()).expect("a header");
        assert_eq!(header.text(NAME), "web");
        assert_eq!(header.files(), [(b"/srv/".as_slice(), b"web".as_slice()), (b"", b"text")]);
        assert_eq!(header.numbers(FILE_STATES), [0, 2]);
        let changed = Header::parse(header.with(&[(FILE_STATES, vec![2, 2])])).expect("a header");
        assert_eq!(changed.numbers(FILE_STATES), [2, 2]);
        let slim = header.slim().expect("few values");
        assert_eq!((slim.text(NAME), slim.numbers(FILE_STATES)), ("web".to_owned(), vec![0, 2]));
        assert_eq!(slim.files(), header.files());
        for end in 0..bytes.len() {
            assert!(Header::parse(bytes[..end].to_vec()).is_none());
        }
    }
}
