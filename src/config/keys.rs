//! `name = value` under `[section]`: php.ini, openssl.cnf (config(5ssl)), postgresql.conf, my.cnf. Values are split at
//! commas, because some are lists of libraries. A directive may have no `=`, as in `.include /x` or `!includedir /x`.

use super::{Statement, continued, quoted};

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut section = String::new();
    for (line, text) in continued(text) {
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = text.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default().trim().to_owned();
            continue;
        }
        let name_end = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let rest = rest.trim_start();
        let value = value(rest.strip_prefix('=').unwrap_or(rest).trim_start());
        let words = value.split(',').map(|word| word.trim().trim_matches('"').to_owned());
        let words = words.filter(|word| !word.is_empty()).collect();
        let (name, section) = (name.to_owned(), section.clone());
        statements.push(Statement { line, name, words, section, ..Statement::default() });
    }
    statements
}

/// A value without its quotes and without a trailing comment.
fn value(text: &str) -> String {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return quoted(&text[1..], quote).0;
    }
    let comment = text
        .char_indices()
        .find(|(at, c)| matches!(c, '#' | ';') && (*at == 0 || text[..*at].ends_with(char::is_whitespace)));
    text[..comment.map_or(text.len(), |(at, _)| at)].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_sections_and_lists() {
        let text = "extension=\"/opt/a b.so\" ; why\n.include /etc/x.cnf # y\n[ p ]\nlegacy = l\nlibs = 'a, b'\n";
        let read: Vec<String> = parse(text)
            .into_iter()
            .map(|one| format!("{} {}/{} {}", one.line, one.section, one.name, one.words.join("|")))
            .collect();
        let wanted = ["1 /extension /opt/a b.so", "2 /.include /etc/x.cnf", "4 p/legacy l", "5 p/libs a|b"];
        assert_eq!(read, wanted);
    }
}
