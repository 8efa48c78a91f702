//! Licences as packages state them, and as SPDX expressions.

/// Identifiers of the SPDX licence list that packages use most.
const KNOWN: &[&str] = &[
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "bzip2-1.0.6",
    "CC0-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CDDL-1.0",
    "curl",
    "EPL-1.0",
    "EPL-2.0",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "libpng-2.0",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PostgreSQL",
    "PSF-2.0",
    "Python-2.0",
    "Ruby",
    "TCL",
    "Unicode-3.0",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "Zlib",
    "ZPL-2.1",
];

/// The same text if it is an expression of known SPDX identifiers; `None` for any other text.
pub(super) fn expression(text: &str) -> Option<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (mut wants_name, mut depth) = (true, 0_usize);
    for word in &words {
        match (*word, wants_name) {
            ("(", true) => depth += 1,
            (")", false) => depth = depth.checked_sub(1)?,
            ("AND" | "OR", false) => wants_name = true,
            (name, true) if KNOWN.contains(&name) => wants_name = false,
            _ => return None,
        }
    }
    (!wants_name && depth == 0).then(|| words.join(" ").replace("( ", "(").replace(" )", ")"))
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn only_expressions_of_known_identifiers_are_expressions() {
        for text in ["MIT", "MIT OR Apache-2.0", "(MIT AND Zlib) OR ISC"] {
            assert_eq!(expression(text).as_deref(), Some(text));
        }
        for text in ["", "GPL-2+", "MIT OR", "MIT Zlib", "(MIT", "MIT)", "AND", "BSD, MIT", "MIT AND (OR ISC)"] {
            assert_eq!(expression(text), None, "{text}");
        }
    }
}
