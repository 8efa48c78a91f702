//! Probes: what is compiled into a program or a library tells where it looks, on every distribution and under every
//! prefix. A table of distributions is what stands in for it where nothing is found.

/// Longest text that a probe takes.
const MAX_VALUE: usize = 1024;
/// Different values of one probe.
const MAX_VALUES: usize = 16;
/// Places in an object at which a pattern is tried.
const MAX_TRIED: usize = 4096;
/// Where the value stands in a pattern.
pub(super) const HOLE: &str = "{}";

/// A text to be found in the bytes of objects.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The name that stands in braces in paths.
    pub name: String,
    /// The SONAME of the objects that are looked at; a `*` at the end stands for any rest. `None`: the programs.
    pub soname: Option<String>,
    /// What stands before the value; empty: the value starts where the text does.
    pub before: String,
    /// What stands after it; empty: the value ends where the text does.
    pub after: String,
    /// What counts where nothing is found.
    pub default: Vec<String>,
}

impl Probe {
    /// The values that a piece of an object holds: paths, lists of them taken apart. Linear in the piece.
    pub fn values(&self, piece: &[u8]) -> Vec<String> {
        let is_led = !self.before.is_empty();
        let anchor = if is_led { self.before.as_bytes() } else { self.after.as_bytes() };
        let mut found: Vec<String> = Vec::new();
        for at in memchr::memmem::find_iter(piece, anchor).take(MAX_TRIED) {
            let text = if is_led { self.led(piece, at + anchor.len()) } else { trailing(piece, at, anchor.len()) };
            let text = String::from_utf8_lossy(text.unwrap_or_default()).into_owned();
            // Of a list that has no lead each part has the rest.
            let rest = if is_led { "" } else { &self.after };
            for one in text.split(':').filter_map(|one| one.strip_suffix(rest)).filter(|one| is_plain(one)) {
                if found.len() < MAX_VALUES && !found.iter().any(|known| known == one) {
                    found.push(one.to_owned());
                }
            }
        }
        found
    }

    /// The value from `start` on, up to what stands after it or to the end of the text.
    fn led<'a>(&self, piece: &'a [u8], start: usize) -> Option<&'a [u8]> {
        let rest = &piece[start..piece.len().min(start + MAX_VALUE)];
        let end = rest.iter().position(|b| !is_part(*b)).unwrap_or(rest.len());
        let after = self.after.as_bytes();
        match memchr::memmem::find(&rest[..end], after) {
            Some(inside) if !after.is_empty() => Some(&rest[..inside]),
            _ => piece[start + end..].starts_with(after).then_some(&rest[..end]),
        }
    }
}

/// The text that ends with what was found at `at`.
fn trailing(piece: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    if piece.get(at + length).is_some_and(|b| is_part(*b) && *b != b':') {
        return None;
    }
    let before = &piece[at.saturating_sub(MAX_VALUE)..at];
    let start = before.iter().rposition(|b| !is_part(*b)).map_or(0, |last| last + 1);
    Some(&piece[at - before.len() + start..at + length])
}

/// Whether a byte may stand in a value.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'') || byte >= 0x80
}

/// Whether a value may stand in a pattern of a path.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && !value.contains(['*', '?', '[', '{', '}', '%', '\u{fffd}'])
        && !value.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(before: &str, after: &str) -> Probe {
        let (before, after) = (before.to_owned(), after.to_owned());
        Probe { name: "x".to_owned(), soname: None, before, after, default: Vec::new() }
    }

    #[test]
    fn values_stand_between_their_neighbours() {
        let text = b"\0OPENSSLDIR: \"/opt/ssl\"\0OPENSSLDIR: \"%s\"\0--prefix=/a --prefix=/b\0/etc/magic:/m/magic\0";
        assert_eq!(probe("OPENSSLDIR: \"", "\"").values(text), ["/opt/ssl"]);
        assert_eq!(probe("--prefix=", "").values(text), ["/a", "/b"]);
        assert_eq!(probe("", "/magic").values(text), ["/etc", "/m"]);
        assert_eq!(probe("", "/..").values(b"\0/x/..\0"), ["/x"]);
        assert_eq!(probe("P=", ";").values(b"P=/x;y P=/../z;"), ["/x"]);
    }
}
