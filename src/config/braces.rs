//! `directive word word;` and `directive word { … }`: nginx (src/core/ngx_conf_file.c) and BIND (lib/isccfg/parser.c).
//! C comments are recognised where a statement may start.

use super::{Statement, quoted};

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let (mut rest, mut line, mut start) = (text, 1, 1);
    while let Some(c) = rest.chars().next() {
        let after = match c {
            '#' => &rest[rest.find('\n').unwrap_or(rest.len())..],
            '/' if open.is_empty() && rest.starts_with("//") => &rest[rest.find('\n').unwrap_or(rest.len())..],
            '/' if open.is_empty() && rest.starts_with("/*") => {
                rest[2..].split_once("*/").map_or("", |(_, after)| after)
            }
            ';' | '{' | '}' => {
                if !open.is_empty() {
                    let name = open.remove(0);
                    let words = std::mem::take(&mut open);
                    statements.push(Statement { line: start, name, words, ..Statement::default() });
                }
                &rest[1..]
            }
            c if c.is_whitespace() => &rest[c.len_utf8()..],
            c => {
                if open.is_empty() {
                    start = line;
                }
                let (word, after) = match c {
                    '"' | '\'' => quoted(&rest[1..], c),
                    _ => bare(rest),
                };
                open.push(word);
                after
            }
        };
        line += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
    }
    statements
}

/// A word up to a blank or the end of the statement. `${…}` is part of the word.
fn bare(text: &str) -> (String, &str) {
    let mut is_variable = false;
    let mut before = ' ';
    let end = text.find(|c: char| {
        is_variable = (is_variable && before != '}') || (before == '$' && c == '{');
        before = c;
        c.is_whitespace() || c == ';' || (!is_variable && matches!(c, '{' | '}'))
    });
    let (word, after) = text.split_at(end.unwrap_or(text.len()));
    (word.to_owned(), after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_c_are_none_of_the_words() {
        let text = "options { // a;\n /* b;\n c */ directory \"/var\"; }\nproxy_pass http://x/; // end";
        let read: Vec<String> =
            parse(text).iter().map(|one| format!("{}:{} {:?}", one.line, one.name, one.words)).collect();
        assert_eq!(read, ["1:options []", "3:directory [\"/var\"]", "4:proxy_pass [\"http://x/\"]"]);
    }

    #[test]
    fn statements_end_at_semicolons_and_braces() {
        let text = "load_module modules/a.so; # no\nhttp {\n  include 'b c.conf';\n  root /srv/${host}/x;\n}\n";
        let read: Vec<(usize, String)> = parse(text)
            .into_iter()
            .map(|statement| (statement.line, format!("{} {}", statement.name, statement.words.join("|"))))
            .collect();
        let wanted =
            [(1, "load_module modules/a.so"), (2, "http "), (3, "include b c.conf"), (4, "root /srv/${host}/x")];
        assert_eq!(read, wanted.map(|(line, text)| (line, text.to_owned())));
    }
}
