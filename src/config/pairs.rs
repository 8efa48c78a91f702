//! `key: value` of JSON, YAML and object literals of JavaScript. Of the structure, only blocks are kept, which begin at
//! a brace or a dash: keys of one block belong together.

use super::{Statement, quoted};

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    // The open blocks, by number.
    let (mut blocks, mut count) = (vec![0_usize], 0);
    for (at, line) in text.lines().enumerate() {
        let mut rest = line.trim_start();
        if rest.starts_with(['#', '*']) || rest.starts_with("//") || rest.starts_with("/*") {
            continue;
        }
        if let Some(item) = rest.strip_prefix("- ") {
            count += 1;
            blocks.truncate(1);
            blocks.push(count);
            rest = item.trim_start();
        }
        while let Some(first) = rest.chars().next() {
            match first {
                '{' => {
                    count += 1;
                    blocks.push(count);
                    rest = &rest[1..];
                }
                '}' => {
                    if blocks.len() > 1 {
                        blocks.pop();
                    }
                    rest = &rest[1..];
                }
                _ => match pair(rest) {
                    Some((name, value, after)) => {
                        if !value.is_empty() {
                            statements.push(Statement {
                                line: at + 1,
                                name,
                                words: vec![value.clone()],
                                text: value,
                                section: blocks.last().copied().unwrap_or_default().to_string(),
                                ..Statement::default()
                            });
                        }
                        rest = after;
                    }
                    None => {
                        let mut chars = rest.chars();
                        chars.next();
                        rest = chars.as_str();
                    }
                },
            }
        }
    }
    statements
}

/// A key with its value, which is empty if a block follows; and the text after them.
fn pair(text: &str) -> Option<(String, String, &str)> {
    let (name, rest) = match text.chars().next()? {
        quote @ ('"' | '\'') => quoted(&text[1..], quote),
        first if first.is_alphabetic() || first == '_' => {
            let end = text.find(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)).unwrap_or(text.len());
            (text[..end].to_owned(), &text[end..])
        }
        _ => return None,
    };
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    Some(match rest.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => {
            let (value, after) = quoted(&rest[1..], quote);
            (name, value, after)
        }
        None | Some('{' | '[') => (name, String::new(), rest),
        Some(_) => {
            let end = rest.find([',', '}', ']', '#']).unwrap_or(rest.len());
            (name, rest[..end].trim().to_owned(), &rest[end..])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_block_belong_together() {
        let shown = |text: &str| -> Vec<String> {
            parse(text).iter().map(|one| format!("{} {} {}", one.section, one.name, one.text)).collect()
        };
        let script = "module.exports = {\n  apps: [{ name: 'a', script: './a.js', args: \"--x 1\" },\n  { \"script\": `b.js`, cwd: '/srv' }]\n}";
        assert_eq!(shown(script), ["2 name a", "2 script ./a.js", "2 args --x 1", "3 script b.js", "3 cwd /srv"]);
        let yaml = "apps:\n  - script: a.js\n    cwd: /srv\n  # no: x\n  - script: b.js\n";
        assert_eq!(shown(yaml), ["1 script a.js", "1 cwd /srv", "2 script b.js"]);
    }
}
