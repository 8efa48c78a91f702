//! Paths inside a root. They are absolute, normalised byte strings and never mix with paths of the host: only
//! [`crate::root::DirTree`] converts one into a path that the host's kernel sees.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// An absolute, normalised path inside a root, without `.`, `..`, empty components or NUL. The root itself is `/`.
///
/// Copies share their bytes: a path is kept in many tables at once.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RootPath(Arc<[u8]>);

impl RootPath {
    /// The root directory itself.
    pub fn root() -> Self {
        static ROOT: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::from(&b"/"[..]));
        Self(Arc::clone(&ROOT))
    }

    /// Parses a path, dropping `.` and empty components; `None` if it is relative or contains `..` or NUL.
    ///
    /// `..` is rejected because its meaning after a symlink depends on the file system: such a path must be
    /// [followed](crate::root::Root::follow).
    pub fn new(text: impl AsRef<[u8]>) -> Option<Self> {
        let text = text.as_ref();
        if text.first() != Some(&b'/') || text.contains(&0) {
            return None;
        }
        let mut path = Vec::with_capacity(text.len());
        for part in text.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return None,
                name => push(&mut path, name),
            }
        }
        Some(if path.is_empty() { Self::root() } else { Self(path.into()) })
    }

    /// The path of `name` in this directory. A `name` of several components, which only a hostile file contains, leads
    /// further down but never out, because `.` and `..` are dropped.
    pub fn join(&self, name: &[u8]) -> Self {
        let mut joined = Vec::with_capacity(self.0.len() + 1 + name.len());
        joined.extend_from_slice(if self.is_root() { b"" } else { &self.0 });
        let is_part = |part: &&[u8]| !matches!(*part, b"" | b"." | b"..");
        name.split(|b| *b == b'/').filter(is_part).for_each(|part| push(&mut joined, part));
        if joined.is_empty() { Self::root() } else { Self(joined.into()) }
    }

    /// The parent directory; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(if cut == 0 { Self::root() } else { Self(self.0[..cut].into()) })
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        &self.0[cut + 1..]
    }

    /// All parent directories, the root first.
    pub fn ancestors(&self) -> Vec<Self> {
        let mut above: Vec<Self> = std::iter::successors(self.parent(), Self::parent).collect();
        above.reverse();
        above
    }

    /// True for the root directory.
    pub fn is_root(&self) -> bool {
        *self.0 == *b"/"
    }

    /// True if this path is `dir` or is below it.
    pub fn is_within(&self, dir: &Self) -> bool {
        dir.is_root() || (self.0.starts_with(&dir.0) && matches!(self.0.get(dir.0.len()), None | Some(b'/')))
    }

    /// True for a path where only the distribution installs files, not the user (FHS 3.0, 4.1).
    pub fn is_of_distribution(&self) -> bool {
        self.0.starts_with(b"/usr/") && !self.0.starts_with(b"/usr/local/")
    }

    /// The bytes of the path, with the leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes without the leading slash, as in a tar archive; empty for the root.
    pub fn relative(&self) -> &[u8] {
        &self.0[1..]
    }
}

fn push(path: &mut Vec<u8>, name: &[u8]) {
    path.push(b'/');
    path.extend_from_slice(name);
}

/// Compares component by component, not as strings, so that everything below `/a` sorts before `/a.b`.
impl Ord for RootPath {
    fn cmp(&self, other: &Self) -> Ordering {
        // Neighbouring paths share most of their bytes, so compare eight at a time.
        let (mut left, mut right) = (&*self.0, &*other.0);
        while let (Some(a), Some(b)) = (left.first_chunk::<8>(), right.first_chunk::<8>()) {
            if a != b {
                break;
            }
            (left, right) = (&left[8..], &right[8..]);
        }
        let rank = |b: u8| if b == b'/' { 0 } else { b };
        match left.iter().zip(right).find(|(a, b)| a != b) {
            Some((a, b)) => rank(*a).cmp(&rank(*b)),
            None => left.len().cmp(&right.len()),
        }
    }
}

impl PartialOrd for RootPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

impl serde::Serialize for RootPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&show(&self.0))
    }
}

/// Converts bytes from a root to text for terminals and JSON. The result is safe and lossless: control characters,
/// invalid UTF-8 and the backslash itself become `\xNN` and `\\`.
pub fn show(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(|c| c.is_control() || c == '\\')
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_clean_or_is_refused() {
        let clean = |text: &str| RootPath::new(text).map(|p| p.to_string());
        assert_eq!(clean("//usr/./lib/"), Some("/usr/lib".into()));
        assert_eq!(clean("/"), Some("/".into()));
        assert_eq!(clean("usr"), None);
        assert_eq!(clean("/usr/../lib"), None);
        assert_eq!(clean("/a\0b"), None);
    }

    #[test]
    fn names_never_lead_out_of_their_directory() {
        let dir = RootPath::new("/var/lib").expect("a path");
        for (name, joined) in [
            ("web", "/var/lib/web"),
            ("../../etc/shadow", "/var/lib/etc/shadow"),
            ("..", "/var/lib"),
            ("a//b/", "/var/lib/a/b"),
        ] {
            assert_eq!(dir.join(name.as_bytes()).to_string(), joined);
        }
    }

    #[test]
    fn a_directory_stands_next_to_its_content() {
        let mut paths: Vec<_> = ["/a.b", "/a/b", "/a", "/", "/a-b"].iter().filter_map(RootPath::new).collect();
        paths.sort();
        let sorted: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["/", "/a", "/a/b", "/a-b", "/a.b"]);
    }

    #[test]
    fn within_counts_whole_parts() {
        let path = |t| RootPath::new(t).expect("a clean path");
        assert!(path("/usr/lib").is_within(&path("/usr")));
        assert!(path("/usr").is_within(&path("/usr")));
        assert!(!path("/usrlib").is_within(&path("/usr")));
    }

    #[test]
    fn shown_text_is_safe_and_lossless() {
        assert_eq!(show(b"/usr/lib"), "/usr/lib");
        assert_eq!(show(b"a\x1b[31m\xff\\"), "a\\x1b[31m\\xff\\\\");
        assert_eq!(show("a\u{9b}".as_bytes()), "a\\xc2\\x9b");
    }
}
