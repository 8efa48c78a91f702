//! Probes read paths that are compiled into programs and libraries. This works on all distributions and with any
//! prefix; a list of defaults is the fallback.

/// Maximum length of a value.
const MAX_VALUE: usize = 1024;
/// Maximum number of different values of one probe.
const MAX_VALUES: usize = 16;
/// Maximum number of positions in an object at which a pattern is tried.
const MAX_TRIED: usize = 4096;
/// The placeholder for the value in a pattern.
pub(super) const HOLE: &str = "{}";

/// A string to find in objects.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The name of the placeholder in paths.
    pub name: String,
    /// The SONAME of the objects to search; `*` at the end matches any suffix. `None`: the programs.
    pub soname: Option<String>,
    /// The text before the value; if empty, the value starts at the start of the string.
    pub before: String,
    /// The text after the value; if empty, the value ends at the end of the string.
    pub after: String,
    /// The fallback if no value is found.
    pub default: Vec<String>,
}

impl Probe {
    /// The values in a piece of an object. Lists separated by colons are split. Linear in the length of the piece.
    pub fn values(&self, piece: &[u8]) -> Vec<String> {
        let is_led = !self.before.is_empty();
        let anchor = if is_led { self.before.as_bytes() } else { self.after.as_bytes() };
        let mut found: Vec<String> = Vec::new();
        for at in memchr::memmem::find_iter(piece, anchor).take(MAX_TRIED) {
            let text = if is_led { self.led(piece, at + anchor.len()) } else { trailing(piece, at, anchor.len()) };
            let text = String::from_utf8_lossy(text.unwrap_or_default()).into_owned();
            // Without a text before the value, each part of a list must have the suffix.
            let rest = if is_led { "" } else { &self.after };
            for one in text.split(':').filter_map(|one| one.strip_suffix(rest)).filter(|one| is_plain(one)) {
                if found.len() < MAX_VALUES && !found.iter().any(|known| known == one) {
                    found.push(one.to_owned());
                }
            }
        }
        found
    }

    /// The value from `start` up to the text after it, or up to the end of the string.
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

/// The string that ends with the match at `at`.
fn trailing(piece: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    if piece.get(at + length).is_some_and(|b| is_part(*b) && *b != b':') {
        return None;
    }
    let before = &piece[at.saturating_sub(MAX_VALUE)..at];
    let start = before.iter().rposition(|b| !is_part(*b)).map_or(0, |last| last + 1);
    Some(&piece[at - before.len() + start..at + length])
}

/// True if a value may contain the byte.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'') || byte >= 0x80
}

/// True if the value has no special characters and can be used in a pattern.
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
