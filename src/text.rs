//! Makes text from files safe for people, logs and shells. Names, users and labels come from untrusted roots and
//! images: they may contain terminal control sequences, text that hides or reorders other text, or commands for a CI
//! system.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::{self, Read};
use std::path::Path;

/// Prefixes of CI commands in logs: of GitHub and Azure Pipelines, anywhere in a line, and of TeamCity.
const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// True for an invisible character that changes how other text is displayed: terminal controls, line ends, writing
/// direction, zero-width characters (Unicode, "Default_Ignorable_Code_Point" and "Bidi_Control").
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A line that is safe to print: hidden characters are written as `\x1b` or `\u{202e}`, and no CI system treats the
/// line as a command.
pub fn line(text: &str) -> Cow<'_, str> {
    // GitHub ignores blanks before the colons.
    let is_command = text.trim_start().starts_with("::") || COMMANDS.iter().any(|word| text.contains(word));
    if !is_command && !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut is_start = true;
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        let is_first_of_command =
            is_start && rest.starts_with("::") || COMMANDS.iter().any(|word| rest.starts_with(word));
        is_start &= c.is_whitespace();
        let _ = match c {
            c if is_first_of_command => write!(out, "\\x{:02x}", u32::from(c)),
            c if is_hidden(c) && u32::from(c) < 0x100 => write!(out, "\\x{:02x}", u32::from(c)),
            c if is_hidden(c) => write!(out, "\\u{{{:x}}}", u32::from(c)),
            c => out.write_char(c),
        };
    }
    // Escaping a prefix may reveal another one after it.
    Cow::Owned(out)
}

/// An equivalent JSON document whose strings contain no hidden characters and no CI commands.
pub fn json(document: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c == '\n' || !is_hidden(c);
    if document.chars().all(is_plain) && !COMMANDS.iter().any(|word| document.contains(word)) {
        return Cow::Borrowed(document);
    }
    let mut out = String::with_capacity(document.len() + 64);
    for (at, c) in document.char_indices() {
        if is_plain(c) && !COMMANDS.iter().any(|word| document[at..].starts_with(word)) {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// The number of values in a JSON document, or somewhat more: a value takes many times the memory of its text.
pub fn json_values(document: &[u8]) -> usize {
    let (mut count, mut is_string, mut is_escaped) = (1, false, false);
    for byte in document {
        match (is_string, byte) {
            _ if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => is_string = !is_string,
            (false, b',' | b'[' | b'{') => count += 1,
            _ => {}
        }
    }
    count
}

/// A word quoted for the shell; `None` if it is unsafe to paste, because a terminal executes lines at line breaks, and
/// hidden characters are invisible.
pub fn shell_word(word: &str) -> Option<Cow<'_, str>> {
    if word.chars().any(is_hidden) {
        return None;
    }
    shlex::try_quote(word).ok()
}

/// A command of these words; `None` if one of them is unsafe to paste.
pub fn shell_line<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let words: Option<Vec<_>> = words.into_iter().map(shell_word).collect();
    words.map(|words| words.join(" "))
}

/// Bytes in decimal units, as disks and registries count.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = bytes / (unit / 10);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// Maximum size of a file in the user's options: settings, profiles, certificates.
const MAX_NAMED: u64 = 16 << 20;

/// Reads a file of this machine from the user's options, which may be a pipe.
///
/// # Errors
/// Any I/O error, and `FileTooLarge`.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_NAMED + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_NAMED {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {} MiB", MAX_NAMED >> 20)));
    }
    Ok(bytes)
}

/// Reads a text file, as [`read_bytes`].
///
/// # Errors
/// Also `InvalidData` for text that is not UTF-8.
pub fn read_file(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bytes(path)?).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_and_no_command_is_left_in_a_line() {
        for (hostile, shown) in [
            ("plain ü é 漢字", "plain ü é 漢字"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\n::error::b", "a\\x0a::error::b"),
            ("  ::error::b", "  \\x3a:error::b"),
            ("x ##[error]y", "x \\x23#[error]y"),
            ("###vso[task]", "#\\x23#vso[task]"),
            ("a\u{202e}b\u{9b}c", "a\\u{202e}b\\x9bc"),
            ("\u{feff}::a", "\\u{feff}::a"),
        ] {
            assert_eq!(line(hostile), shown);
        }
    }

    #[test]
    fn sizes_are_decimal() {
        let shown: Vec<_> = [0, 999, 1_000, 12_345_678, 5_000_000_000].into_iter().map(size).collect();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "12.3 MB", "5.0 GB"]);
    }

    #[test]
    fn a_document_stays_the_same() {
        let value = serde_json::json!({ "a\u{202e}\u{9b}": "##[error]\u{e0041}\u{7f}\n" });
        let document = serde_json::to_string_pretty(&value).expect("JSON");
        let shown = json(&document);
        assert!(shown.chars().all(|c| c == '\n' || !is_hidden(c)) && !shown.contains("##["), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, least) in
            [(r#"{"a":[1,2,{}],"b,[{":"\",[,["}"#, 6), ("", 0), (r#""a"#, 1), (r#"["\\",1]"#, 3), (r#""\"#, 1)]
        {
            let found = json_values(text.as_bytes());
            assert!((least..=least + 2).contains(&found), "{text}: {found}");
        }
    }
}
