//! XML elements with their text, as in fontconfig's files: without custom entities and CDATA; nesting is ignored.

use super::{Statement, quoted};

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(at) = rest.find('<') {
        line += rest[..at].matches('\n').count();
        rest = &rest[at..];
        let after = match rest.strip_prefix("<!--") {
            Some(comment) => comment.find("-->").map_or("", |end| &comment[end + 3..]),
            None => {
                let (inside, after) = tag(&rest[1..]);
                if inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    statements.push(element(line, inside, after));
                }
                after
            }
        };
        line += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
    }
    statements
}

/// The content of a tag, and the rest after it. A `>` in quotes does not end the tag.
fn tag(text: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return (&text[..at], &text[at + 1..]),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    (text, "")
}

fn element(line: usize, inside: &str, after: &str) -> Statement {
    let inside = inside.trim_end_matches('/');
    let name_end = inside.find(char::is_whitespace).unwrap_or(inside.len());
    let mut attributes = Vec::new();
    let mut rest = inside[name_end..].trim_start();
    while let Some((name, value)) = rest.split_once('=') {
        let value = value.trim_start();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { break };
        let (value, more) = quoted(&value[1..], quote);
        attributes.push(format!("{}={}", name.trim(), plain(&value)));
        rest = more.trim_start();
    }
    let text = plain(after[..after.find('<').unwrap_or(after.len())].trim());
    let words = if text.is_empty() { Vec::new() } else { vec![text.clone()] };
    let is_conditional = attributes.iter().any(|attribute| attribute == "ignore_missing=yes");
    Statement {
        line,
        name: inside[..name_end].to_owned(),
        words,
        text,
        attributes,
        is_conditional,
        ..Statement::default()
    }
}

/// The text with its entities replaced.
fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_text_and_attributes() {
        let text = "<?xml version=\"1.0\"?>\n<!-- <dir>/no</dir> -->\n<f>\n<dir prefix=\"xdg\">fonts</dir>\n\
                    <include ignore_missing=\"yes\">conf.d</include><dir>/a &amp; b</dir></f>";
        let read: Vec<String> = parse(text)
            .into_iter()
            .map(|one| format!("{} {} {:?} {:?} {}", one.line, one.name, one.words, one.attributes, one.is_conditional))
            .collect();
        let wanted = [
            "3 f [] [] false",
            "4 dir [\"fonts\"] [\"prefix=xdg\"] false",
            "5 include [\"conf.d\"] [\"ignore_missing=yes\"] true",
            "5 dir [\"/a & b\"] [] false",
        ];
        assert_eq!(read, wanted);
    }
}
