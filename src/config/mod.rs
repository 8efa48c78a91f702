//! Parsers for configuration files of servers and libraries. There is a fixed set of grammars; each turns bytes into
//! statements. Profiles define which statements refer to files; this module opens no files. A parser never fails: in a
//! file with syntax errors it returns all statements that it recognises, because stopping early would leave out more
//! files.

mod braces;
mod columns;
mod healthcheck;
mod keys;
mod lines;
mod pairs;
mod probe;
mod quoted;
mod scripts;
mod tables;
mod xml;

use serde::Deserialize;

pub use healthcheck::{Healthcheck, exec_form};
pub use probe::PROBE;

/// Maximum number of statements read from one file.
pub(crate) const MAX_STATEMENTS: usize = 100_000;

/// The grammar of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grammar {
    /// Directives with words, ended by a semicolon, and blocks in braces: nginx, BIND.
    Braces,
    /// One directive with its words per line, sections in angle brackets: Apache, HAProxy.
    Lines,
    /// `name = value` under `[section]`: php.ini, openssl.cnf, postgresql.conf, my.cnf.
    Keys,
    /// Columns of PAM: type, control, module, arguments.
    Pam,
    /// Elements with text: fontconfig.
    Xml,
    /// Variables and jobs: crontab(5).
    Crontab,
    /// `name: command`: Procfile.
    Colon,
    /// `key: value` of JSON, YAML and object literals of JavaScript.
    Pairs,
    /// Columns: inetd.conf(5), anacrontab(5), Postfix's master.cf.
    Columns,
    /// Directives, and shell scripts up to `endscript`: logrotate.conf(5).
    Scripts,
    /// `name = "value"` and lists of texts in quotes: lighttpd.conf.
    Quoted,
}

/// The text of a line after this number of columns.
pub fn after(line: &str, columns: usize) -> &str {
    tables::after(line, columns)
}

/// The arguments in a command line with quotes. If a quote is not closed, blanks separate them.
pub fn arguments(line: &str) -> Vec<String> {
    shlex::split(line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect())
}

/// The command line with these arguments, quoted; `None` if one has a null byte.
pub fn joined(words: &[String]) -> Option<String> {
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

/// One statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The line it starts on, from 1.
    pub line: usize,
    /// The directive, key or element.
    pub name: String,
    /// Its arguments.
    pub words: Vec<String>,
    /// Everything after the name, as written, if the grammar has command lines.
    pub text: String,
    /// The section that contains it, if the grammar has sections.
    pub section: String,
    /// Attributes in the form `name=value`, if the grammar has attributes.
    pub attributes: Vec<String>,
    /// True if the statement is under a condition, or allows the file to be missing.
    pub is_conditional: bool,
}

/// Parses a file. Invalid UTF-8 is replaced.
pub fn parse(grammar: Grammar, bytes: &[u8]) -> Vec<Statement> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut statements = match grammar {
        Grammar::Braces => braces::parse(text),
        Grammar::Lines => lines::parse(text),
        Grammar::Keys => keys::parse(text),
        Grammar::Pam => columns::parse(text),
        Grammar::Xml => xml::parse(text),
        Grammar::Crontab => tables::crontab(text),
        Grammar::Colon => tables::colon(text),
        Grammar::Pairs => pairs::parse(text),
        Grammar::Columns => tables::columns(text),
        Grammar::Scripts => scripts::parse(text),
        Grammar::Quoted => quoted::parse(text),
    };
    statements.truncate(MAX_STATEMENTS);
    statements
}

/// The lines with their numbers. A backslash at the end of a line joins it with the next.
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

/// The words of a line without quotes. A word that starts with `#` begins a comment.
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

/// The text up to the closing quote, and the rest after it. A backslash escapes a quote.
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
                    for grammar in
                        [Grammar::Braces, Grammar::Lines, Grammar::Keys, Grammar::Pam, Grammar::Xml, Grammar::Quoted]
                    {
                        let _ = parse(grammar, &text);
                    }
                }
            }
        }
    }
}
