//! Dynamic string tokens: `$ORIGIN`, `$LIB` and `$PLATFORM`, with or without braces (glibc, elf/dl-load.c,
//! `_dl_dst_substitute`).

/// The values of the tokens for one object.
pub(super) struct Tokens<'a> {
    /// Directory of the object; `None` if it is unknown, in which case the element is dropped.
    pub(super) origin: Option<&'a [u8]>,
    /// The value that the loader was built with, such as `lib/x86_64-linux-gnu`.
    pub(super) lib: &'a [u8],
    /// AT_PLATFORM of the baseline machine.
    pub(super) platform: &'a [u8],
}

/// The token at the start of `text`: its name, and its length including `$` and braces.
fn token_at(text: &[u8]) -> Option<(&'static str, usize)> {
    let after = text.strip_prefix(b"$")?;
    ["ORIGIN", "LIB", "PLATFORM"].into_iter().find_map(|name| {
        if let Some(braced) = after.strip_prefix(b"{") {
            let rest = braced.strip_prefix(name.as_bytes())?;
            return rest.starts_with(b"}").then_some((name, name.len() + 3));
        }
        let rest = after.strip_prefix(name.as_bytes())?;
        let goes_on = rest.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        (!goes_on).then_some((name, name.len() + 1))
    })
}

/// True if the text contains a token.
pub(super) fn has_token(text: &[u8]) -> bool {
    (0..text.len()).any(|at| token_at(&text[at..]).is_some())
}

/// True if the only token is a leading `$ORIGIN`, which is all that secure-execution mode allows.
pub(super) fn is_leading_origin(text: &[u8]) -> bool {
    match token_at(text) {
        Some(("ORIGIN", length)) => !has_token(&text[length..]) && matches!(text.get(length), None | Some(b'/')),
        _ => false,
    }
}

/// Replaces the tokens; `None` if one has no value.
pub(super) fn expand(text: &[u8], tokens: &Tokens<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match token_at(&text[at..]) {
            Some((name, length)) => {
                out.extend_from_slice(match name {
                    "ORIGIN" => tokens.origin?,
                    "LIB" => tokens.lib,
                    _ => tokens.platform,
                });
                at += length;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_end_where_a_word_ends() {
        let tokens = Tokens { origin: Some(b"/o"), lib: b"lib64", platform: b"x86_64" };
        let expanded =
            |text: &str| expand(text.as_bytes(), &tokens).map(|text| String::from_utf8_lossy(&text).into_owned());
        for (text, meant) in [
            ("$ORIGIN/../lib", "/o/../lib"),
            ("${ORIGIN}x", "/ox"),
            ("$ORIGINAL", "$ORIGINAL"),
            ("$ORIGIN_X", "$ORIGIN_X"),
            ("${ORIGIN_X}", "${ORIGIN_X}"),
            ("/usr/$LIB/$PLATFORM", "/usr/lib64/x86_64"),
            ("$HOME/$", "$HOME/$"),
        ] {
            assert_eq!(expanded(text).as_deref(), Some(meant), "{text}");
        }
        assert_eq!(expand(b"$ORIGIN", &Tokens { origin: None, ..tokens }), None);
    }
}
