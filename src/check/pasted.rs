//! Messages of other programs, and their meaning for an image. `profiles/tables/messages.toml` lists them.

use regex::Regex;
use serde::Deserialize;

use crate::world::tables::table;

/// Maximum number of lines that are read: a log may be long, and its last lines show why a container ended.
const MAX_LINES: usize = 2000;
/// Maximum length of a line that is read.
const MAX_LINE: usize = 4096;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    message: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    by: String,
    text: String,
    code: Option<String>,
    says: String,
    cure: String,
}

table! {
    /// The messages.
    fn messages() -> Messages = "messages"
}

/// A line that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The line.
    pub line: String,
    /// The program that prints such lines, with its source file.
    pub by: &'static str,
    /// The code of the finding that `slimroot check` has for it.
    pub code: Option<&'static str>,
    /// Meaning of the message.
    pub says: String,
    /// Advice.
    pub cure: String,
    /// The names in the line, such as that of a library.
    pub parts: Vec<String>,
}

/// The lines of a text that are known messages, each meaning once, in the order of the text.
pub fn recognise(text: &str) -> Vec<Recognised> {
    let known: Vec<(&Message, Regex)> =
        messages().message.iter().filter_map(|message| Some((message, pattern(&message.text)?))).collect();
    let lines: Vec<&str> = text.lines().filter(|line| line.len() <= MAX_LINE).collect();
    let mut found: Vec<Recognised> = Vec::new();
    for line in &lines[lines.len().saturating_sub(MAX_LINES)..] {
        let plain = without_escapes(line);
        let first = known.iter().find_map(|(message, pattern)| Some((message, pattern.captures(&plain)?)));
        let Some((message, captures)) = first else { continue };
        let names = names(&message.text);
        let part = |name: &str| captures.name(name).map_or("", |found| found.as_str());
        let filled = |text: &str| {
            names.iter().fold(text.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), part(name)))
        };
        let one = Recognised {
            line: line.trim().to_owned(),
            by: &message.by,
            code: message.code.as_deref(),
            says: filled(&message.says),
            cure: filled(&message.cure),
            parts: names.iter().map(|name| part(name).to_owned()).collect(),
        };
        if !found.iter().any(|known| known.says == one.says) {
            found.push(one);
        }
    }
    found
}

/// A line as the program printed it: in a log of runc or containerd (logfmt), and in JSON, quotes have backslashes.
fn without_escapes(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some((before, after)) = rest.split_once('"') {
        out.push_str(before.trim_end_matches('\\'));
        out.push('"');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The names of the parts of a pattern.
fn names(text: &str) -> Vec<&str> {
    let inside = text.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    inside.map(|name| name.trim_end_matches(['.', '#'])).collect()
}

/// The regular expression of a pattern of the table.
fn pattern(text: &str) -> Option<Regex> {
    let mut out = String::new();
    // `serve` does not begin within `observe`.
    if text.starts_with(|c: char| c.is_alphanumeric()) {
        out.push_str(r"\b");
    }
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        out.push_str(&literal(before));
        let kind = match name {
            name if name.ends_with("...") && after.is_empty() => ".+",
            name if name.ends_with("...") => ".+?",
            name if name.ends_with('#') => r"\d+",
            _ => r#"[^\s"'`‘’,()]+"#,
        };
        out.push_str(&format!("(?P<{}>{kind})", name.trim_end_matches(['.', '#'])));
        rest = after;
    }
    out.push_str(&literal(rest));
    Regex::new(&out).ok()
}

/// A literal part. Quotes differ by locale (gnulib, quotearg.h).
fn literal(text: &str) -> String {
    regex::escape(text).replace(['‘', '’'], "['‘’]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_pattern_with_known_parts() {
        for message in &messages().message {
            assert!(pattern(&message.text).is_some(), "{}", message.text);
            let known = names(&message.text);
            for name in names(&message.says).into_iter().chain(names(&message.cure)) {
                assert!(known.contains(&name), "{name} is not in {}", message.text);
            }
        }
    }

    #[test]
    fn lines_of_logs_with_escaped_quotes_are_read() {
        let line = r#"level=error msg="unable to start container process: exec: \"/app\": stat /app: no such file or directory""#;
        assert_eq!(recognise(line).first().and_then(|one| one.code), Some("entry-missing"));
        assert_eq!(without_escapes(r#"a\b \\\"c\" d"#), r#"a\b "c" d"#);
        assert_eq!(without_escapes("no quotes\\"), "no quotes\\");
    }

    #[test]
    fn parts_are_filled_in_and_a_meaning_is_told_once() {
        let line = "curl: error while loading shared libraries: libz.so.1: cannot open shared object file: No such file or directory";
        let found = recognise(&format!("{line}\nother\n{line}\n"));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].code, found[0].parts.as_slice()),
            (Some("missing-library"), &["libz.so.1".to_owned()][..])
        );
        assert!(found[0].says.contains("did not find libz.so.1"), "{}", found[0].says);
    }
}
