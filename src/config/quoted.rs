//! `name = "value"` with lists in parentheses, over several lines: lighttpd.conf. The words of a statement are its texts in
//! quotes; `var.x + "/y"` is one text if a statement above sets the variable.

use std::collections::HashMap;

use super::{Statement, quoted};

/// Maximum number of bytes that variables add: each could be twice the one before.
const MAX_FILLED: usize = 1 << 20;

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut variables: HashMap<String, String> = HashMap::new();
    let (mut rest, mut depth, mut is_joined) = (text, 0_usize, false);
    let (mut line, mut counted, mut left) = (1, 0, MAX_FILLED);
    while let Some(first) = rest.chars().next() {
        let at = text.len() - rest.len();
        line += text[counted..at].matches('\n').count();
        counted = at;
        let mut value = None;
        match first {
            '#' => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            '"' => {
                let (word, after) = quoted(&rest[1..], '"');
                (value, rest) = (Some(word), after);
            }
            _ if first.is_ascii_alphabetic() || first == '$' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"._-$".contains(c)).unwrap_or(rest.len());
                let name = &rest[..end];
                rest = &rest[end..];
                let next = rest.trim_start();
                let is_set = [":=", "+=", "=", "\"", "["].iter().any(|sign| next.starts_with(sign));
                match depth == 0 && is_set && !next.starts_with("=>") {
                    true => {
                        finish(&statements, &mut variables);
                        statements.push(Statement { line, name: name.to_owned(), ..Statement::default() });
                        // The sign of `+=` joins nothing.
                        rest = next.trim_start_matches([':', '+']);
                    }
                    false => {
                        value = variables.get(name).filter(|value| value.len() <= left).cloned();
                        left -= value.as_ref().map_or(0, String::len);
                    }
                }
            }
            _ => {
                match first {
                    '(' => depth += 1,
                    ')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                is_joined = first == '+' || is_joined && first.is_whitespace();
                rest = &rest[first.len_utf8()..];
            }
        }
        let Some(value) = value else { continue };
        if let Some(open) = statements.last_mut() {
            match open.words.last_mut().filter(|_| is_joined) {
                Some(before) => before.push_str(&value),
                None => open.words.push(value),
            }
        }
        is_joined = false;
    }
    statements
}

/// Keeps the value of a statement that sets a variable.
fn finish(statements: &[Statement], variables: &mut HashMap<String, String>) {
    if let Some(Statement { name, words, .. }) = statements.last()
        && let [value] = words.as_slice()
    {
        variables.insert(name.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_joined_texts_are_words() {
        let text = "var.base = \"/srv\" # x\nserver.document-root=var.base + \"/www\"\nserver.modules += (\n  \"mod_cgi\", # y\n  \"mod_x\" )\n\
                    $HTTP[\"url\"] =~ \"^/c\" {\n  cgi.assign = ( \".x\" => (( \"bin-path\" => \"/opt/x\" )))\n}\ninclude \"a.conf\"\n";
        let read: Vec<String> =
            parse(text).into_iter().map(|one| format!("{} {} {}", one.line, one.name, one.words.join("|"))).collect();
        let wanted = [
            "1 var.base /srv",
            "2 server.document-root /srv/www",
            "3 server.modules mod_cgi|mod_x",
            "6 $HTTP url|^/c",
            "7 cgi.assign .x|bin-path|/opt/x",
            "9 include a.conf",
        ];
        assert_eq!(read, wanted);
    }

    #[test]
    fn variables_that_double_have_an_end() {
        let doubled: String = (1..200).map(|at| format!("v{at} = v{} + v{}\n", at - 1, at - 1)).collect();
        let read = parse(&format!("v0 = \"x\"\n{doubled}"));
        assert_eq!(read[10].words, ["x".repeat(1024)]);
        assert!(read.iter().flat_map(|one| &one.words).map(String::len).sum::<usize>() <= 2 * MAX_FILLED);
    }
}
