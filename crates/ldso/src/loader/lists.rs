//! Directory lists as glibc parses them: DT_RPATH, DT_RUNPATH and LD_LIBRARY_PATH (elf/dl-load.c, `fillin_rpath`).

use super::tokens::{self, Tokens};

/// One directory of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// As written.
    pub(super) written: Vec<u8>,
    /// With tokens expanded and a trailing slash, ready for a name to be appended; empty for the working directory.
    pub(super) dir: Vec<u8>,
}

/// Splits a list and expands its elements. Repeated elements and those that cannot be expanded are dropped.
///
/// `secure` contains the default directories in secure-execution mode.
pub(super) fn elements(
    text: &[u8],
    separators: &[u8],
    tokens: &Tokens<'_>,
    secure: Option<&[Vec<u8>]>,
) -> Vec<Element> {
    let mut found: Vec<Element> = Vec::new();
    if text.is_empty() {
        return found;
    }
    for written in text.split(|b| separators.contains(b)) {
        let Some(mut dir) = tokens::expand(written, tokens) else { continue };
        while dir.len() > 1 && dir.ends_with(b"/") {
            dir.pop();
        }
        // An empty element means the working directory, where the bare name is opened. An element that is empty only
        // after expansion is dropped.
        if dir.is_empty() && !written.is_empty() {
            continue;
        }
        if !dir.is_empty() && !dir.ends_with(b"/") {
            dir.push(b'/');
        }
        if let Some(defaults) = secure
            && tokens::has_token(written)
            && !(tokens::is_leading_origin(written) && defaults.iter().any(|default| dir.starts_with(default)))
        {
            continue;
        }
        if !found.iter().any(|known| known.dir == dir) {
            found.push(Element { written: written.to_vec(), dir });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_and_close_with_one_slash() {
        let tokens = Tokens { origin: Some(b"/o"), lib: b"lib", platform: b"x" };
        let dirs = |text: &str| -> Vec<String> {
            let found = elements(text.as_bytes(), b":;", &tokens, None);
            found.iter().map(|element| String::from_utf8_lossy(&element.dir).into_owned()).collect()
        };
        assert_eq!(dirs(""), [""; 0]);
        assert_eq!(dirs(":"), [""]);
        assert_eq!(dirs("/a//;/b:/a"), ["/a/", "/b/"]);
        assert_eq!(dirs("$ORIGIN/../l:/"), ["/o/../l/", "/"]);
        assert_eq!(dirs("rel"), ["rel/"]);
    }
}
