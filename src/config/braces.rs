//! `directive word word;` and `directive word { … }`: nginx (src/core/ngx_conf_file.c) and BIND (lib/isccfg/parser.c).
//! C comments are recognised where a statement may start. A block of Lua is text (lua-nginx-module, src/ngx_http_lua_lex.h).

use super::{Statement, quoted};

/// The end of directives whose block is a program in Lua.
const LUA_BLOCK: &str = "_by_lua_block";

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
            '{' if open.first().is_some_and(|name| name.ends_with(LUA_BLOCK)) => {
                let (text, after) = rest[1..].split_at(lua_end(&rest[1..]));
                let (name, words) = (open.remove(0), std::mem::take(&mut open));
                let text = text.to_owned();
                statements.push(Statement { line: start, name, words, text, ..Statement::default() });
                after.strip_prefix('}').unwrap_or(after)
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

/// Length of a program in Lua up to the brace that ends its block. Braces in strings and comments do not count.
fn lua_end(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let long = rest.strip_prefix("--").unwrap_or(rest);
        at += match c {
            '"' | '\'' => rest.len() - string_end(&rest[1..], c).len(),
            '[' | '-' if long_bracket(long).is_some() => {
                let end = long_bracket(long).unwrap_or_default();
                long.find(&end).map_or(rest.len(), |found| rest.len() - long.len() + found + end.len())
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '}' if depth == 0 => return at,
            c => {
                depth += usize::from(c == '{');
                depth -= usize::from(c == '}');
                c.len_utf8()
            }
        };
    }
    at
}

/// The text after the closing quote of a string of Lua, in which a backslash escapes the next character.
fn string_end(text: &str, quote: char) -> &str {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == quote => break,
            _ => {}
        }
    }
    chars.as_str()
}

/// The text that ends a string which begins with `[[`, `[=[` and so on.
fn long_bracket(text: &str) -> Option<String> {
    let level = text.strip_prefix('[')?.find(|c| c != '=')?;
    text[1 + level..].starts_with('[').then(|| format!("]{}]", "=".repeat(level)))
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
    fn a_block_of_lua_is_one_text() {
        let text = "content_by_lua_block {\n -- don't }\n local t = { a = \"}\\\"\", b = [=[ }]] ]=] }\n}\nroot /srv;\n\
                    set_by_lua_block $x { return '}' --[[ } ]] }\nalias /a;\nlog_by_lua_block { x = {";
        let read: Vec<String> = parse(text)
            .iter()
            .map(|one| format!("{}:{} {:?} {}", one.line, one.name, one.words, one.text.trim()))
            .collect();
        let wanted = [
            "1:content_by_lua_block [] -- don't }\n local t = { a = \"}\\\"\", b = [=[ }]] ]=] }",
            "5:root [\"/srv\"] ",
            "6:set_by_lua_block [\"$x\"] return '}' --[[ } ]]",
            "7:alias [\"/a\"] ",
            "8:log_by_lua_block [] x = {",
        ];
        assert_eq!(read, wanted);
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
