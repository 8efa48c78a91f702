//! Reads JSON of untrusted files, where a parsed value takes many times the memory of its text.

use memchr::memchr2;
use serde::de::DeserializeOwned;

use crate::path::RootPath;
use crate::root::Root;

/// Maximum number of values in a document. Lock files of large projects have some hundred thousand.
const MAX_VALUES: usize = 1 << 19;

/// Parses a document; `None` if it is not JSON of this form or has more than `MAX_VALUES` values.
pub(crate) fn read<T: DeserializeOwned>(root: &Root, path: &RootPath, text: &[u8]) -> Option<T> {
    if values(text) > MAX_VALUES {
        root.leave_unread(path, format!("it has more than {MAX_VALUES} values"));
        return None;
    }
    serde_json::from_slice(text).ok()
}

/// No fewer than the number of values in a document.
fn values(text: &[u8]) -> usize {
    let (mut count, mut at) = (1, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b',' | b'[' | b'{' => count += 1,
            b'"' => at = end_of_string(text, at + 1),
            _ => {}
        }
        at += 1;
    }
    count
}

/// The offset of the quote that ends a string.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, least) in
            [(r#"{"a":[1,2,{}],"b,[{":"\",[,["}"#, 6), ("", 0), (r#""a"#, 1), (r#"["\\",1]"#, 3), (r#""\"#, 1)]
        {
            let found = values(text.as_bytes());
            assert!((least..=least + 2).contains(&found), "{text}: {found}");
        }
    }
}
