//! Configuration files of servers and libraries, as far as they name other files: a closed set of grammars, each of
//! which turns bytes into statements. Which statement names what is said by profiles; nothing here opens a file.
//!
//! A file that is not of its grammar gives the statements that can be made out: a reader that stops early leaves
//! more out than one that goes on.

mod braces;
mod columns;
mod keys;
mod lines;
mod xml;

use serde::Deserialize;

/// Statements read of one file.
const MAX_STATEMENTS: usize = 100_000;

/// How a configuration file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grammar {
    /// A directive and its words up to a semicolon, blocks in braces: nginx.
    Braces,
    /// A line is a directive and its words, sections in angle brackets: Apache, HAProxy.
    Lines,
    /// `name = value` under `[section]`: php.ini, openssl.cnf, postgresql.conf, my.cnf.
    Keys,
    /// Columns of PAM: type, control, module, arguments.
    Pam,
    /// Elements with text: fontconfig.
    Xml,
}

/// What one statement says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The line it starts on, from 1.
    pub line: usize,
    /// The directive, key or element.
    pub name: String,
    /// Its words.
    pub words: Vec<String>,
    /// The section it stands in, where the grammar has such.
    pub section: String,
    /// Attributes as `name=value`, where the grammar has such.
    pub attributes: Vec<String>,
    /// Whether it counts only under a condition, or says itself that what it names may be absent.
    pub is_conditional: bool,
}

/// Reads a file of a grammar. Of bytes that are no UTF-8 the readable part counts.
pub fn parse(grammar: Grammar, bytes: &[u8]) -> Vec<Statement> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut statements = match grammar {
        Grammar::Braces => braces::parse(text),
        Grammar::Lines => lines::parse(text),
        Grammar::Keys => keys::parse(text),
        Grammar::Pam => columns::parse(text),
        Grammar::Xml => xml::parse(text),
    };
    statements.truncate(MAX_STATEMENTS);
    statements
}

/// Lines with their numbers; one that ends in a backslash goes on in the next.
fn continued(text: &str) -> Vec<(usize, String)> {
    let mut whole: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let (part, more) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match whole.last_mut().filter(|_| goes_on) {
            Some((_, before)) => before.push_str(part),
            None => whole.push((index + 1, part.to_owned())),
        }
        goes_on = more;
    }
    whole
}

/// Words of a line, quotes taken off; a word that starts with `#` and all after it is a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next().filter(|first| *first != '#') {
        let (word, after) = match first {
            '"' | '\'' => quoted(&rest[1..], first),
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// A quoted text after its opening quote, and what follows the closing one; a backslash keeps a quote.
fn quoted(text: &str, quote: char) -> (String, &str) {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return (word, &text[at + c.len_utf8()..]),
            '\\' if chars.as_str().starts_with(quote) => {
                word.push(quote);
                chars.next();
            }
            c => word.push(c),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_stop_a_reader() {
        let pieces: [&[u8]; 16] = [
            b"\"",
            b"'",
            b"\\",
            b"\n",
            b"{",
            b"}",
            b";",
            b"<",
            b">",
            b"<!--",
            b"[",
            b"]",
            b"=",
            b"#",
            b"a ",
            b"\xff\xc3",
        ];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let text = [first, second, third, first, b"x"].concat();
                    for grammar in [Grammar::Braces, Grammar::Lines, Grammar::Keys, Grammar::Pam, Grammar::Xml] {
                        let _ = parse(grammar, &text);
                    }
                }
            }
        }
    }
}
