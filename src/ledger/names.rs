//! Names in documents: the lossless text of [`crate::path::show`], and back.

use serde::{Deserialize, Deserializer};

use crate::path::RootPath;

/// The bytes of a text made by [`crate::path::show`]; `None` if it contains an invalid escape.
pub fn unshown(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.split_first()? {
            (b'\\', after) => {
                out.push(b'\\');
                rest = after;
            }
            (b'x', after) => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[2..];
            }
            _ => return None,
        }
    }
    Some(out)
}

/// Reads the text of an absolute path. A path that is not clean is refused, because slimroot never writes one.
pub(super) fn path<'de, D: Deserializer<'de>>(from: D) -> Result<RootPath, D::Error> {
    let text = String::deserialize(from)?;
    let path = unshown(&text).and_then(RootPath::new);
    path.filter(|path| path.to_string() == text).ok_or_else(|| serde::de::Error::custom("not a path inside an image"))
}

#[cfg(test)]
mod tests {
    use super::unshown;
    use crate::path::show;

    #[test]
    fn what_is_shown_can_be_read_back() {
        for bytes in [&b"/usr/lib"[..], b"a\x1b[31m\xff\\", b"\\x41", b"", "ü\u{9b}".as_bytes()] {
            assert_eq!(unshown(&show(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(unshown("\\"), None);
        assert_eq!(unshown("\\xg0"), None);
        assert_eq!(unshown("\\x1"), None);
    }
}
