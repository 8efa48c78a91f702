//! Lists of directories as glibc reads them: DT_RPATH, DT_RUNPATH and LD_LIBRARY_PATH (elf/dl-load.c,
//! `fillin_rpath`; elf-resolution §3.4).

use super::tokens::{self, Tokens};

/// One directory of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// As written.
    pub(super) written: Vec<u8>,
    /// With tokens expanded and one closing slash, as names are appended to it.
    pub(super) dir: Vec<u8>,
}

/// Splits a list and expands its elements; an element that cannot be expanded is dropped, a repeated one too.
///
/// `secure` holds the default directories if secure execution applies.
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
        // An empty element is the working directory.
        let spelled: &[u8] = if written.is_empty() { b"./" } else { written };
        let Some(mut dir) = tokens::expand(spelled, tokens) else { continue };
        while dir.len() > 1 && dir.ends_with(b"/") {
            dir.pop();
        }
        if dir.is_empty() {
            continue;
        }
        if !dir.ends_with(b"/") {
            dir.push(b'/');
        }
        if let Some(defaults) = secure
            && tokens::has_token(spelled)
            && !(tokens::is_leading_origin(spelled) && defaults.iter().any(|default| dir.starts_with(default)))
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
        assert_eq!(dirs(":"), ["./"]);
        assert_eq!(dirs("/a//;/b:/a"), ["/a/", "/b/"]);
        assert_eq!(dirs("$ORIGIN/../l:/"), ["/o/../l/", "/"]);
        assert_eq!(dirs("rel"), ["rel/"]);
    }
}
