//! `name = value` under `[section]`: php.ini, openssl.cnf (config(5ssl)), postgresql.conf, my.cnf. Values are split at
//! commas, because some are lists of libraries. A directive may have no `=`, as in `.include /x` or `!includedir /x`.

use super::{Statement, continued, quoted};

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut section = String::new();
    for (line, written) in continued(text) {
        let text = written.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(before) = statements.last_mut().filter(|before: &&mut Statement| before.section == section)
            && goes_on(&written, before)
        {
            before.text = format!("{} {}", before.text, uncommented(text)).trim_start().to_owned();
            before.words.extend(listed(text));
            continue;
        }
        if let Some(name) = text.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default().trim().to_owned();
            continue;
        }
        let name_end = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let rest = rest.trim_start();
        let written = rest.strip_prefix('=').unwrap_or(rest).trim_start();
        let words = listed(written);
        let (name, section, text) = (name.to_owned(), section.clone(), uncommented(written).to_owned());
        statements.push(Statement { line, name, words, text, section, ..Statement::default() });
    }
    statements
}

/// The words of a value, which commas separate.
fn listed(text: &str) -> Vec<String> {
    let value = value(text);
    let words = value.split(',').map(|word| word.trim().trim_matches('"').to_owned());
    words.filter(|word| !word.is_empty()).collect()
}

/// A value without its quotes and without a trailing comment.
fn value(text: &str) -> String {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return quoted(&text[1..], quote).0;
    }
    uncommented(text).to_owned()
}

/// The text before a comment. In quotes, no comment begins.
fn uncommented(text: &str) -> &str {
    let mut quote = None;
    let comment = text.char_indices().find(|(at, c)| match (quote, c) {
        (Some(open), c) if open == *c => {
            quote = None;
            false
        }
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (None, '#' | ';') => *at == 0 || text[..*at].ends_with(char::is_whitespace),
        _ => false,
    });
    let end = comment.map(|(at, _)| at);
    // An apostrophe is not a quote if nothing closes it.
    let end = match quote {
        Some(_) => {
            text.match_indices(['#', ';']).map(|(at, _)| at).find(|at| text[..*at].ends_with(char::is_whitespace))
        }
        None => end,
    };
    text[..end.unwrap_or(text.len())].trim_end()
}

/// True for a line that continues the previous value, as in files of Python's configparser: it is indented, and is not
/// a key with a value, unless the previous value is empty or ends with a comma.
fn goes_on(line: &str, before: &Statement) -> bool {
    let is_key = || {
        let name = line.trim_start().split('=').next().unwrap_or_default().trim_end();
        line.contains('=') && !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let is_value = before.name.starts_with(char::is_alphanumeric);
    line.starts_with(char::is_whitespace)
        && is_value
        && (before.text.is_empty() || before.text.ends_with(',') || !is_key())
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

    #[test]
    fn values_go_on_when_indented() {
        let text =
            "[program:a]\ncommand=/bin/x -a ; why\n    --b 'c ; d'\nenvironment=\n  A=\"b\",\n  C=\"d\"\n  next = 1\n";
        let read: Vec<String> = parse(text).into_iter().map(|one| format!("{} {}", one.name, one.text)).collect();
        assert_eq!(read, ["command /bin/x -a --b 'c ; d'", "environment A=\"b\", C=\"d\"", "next 1"]);
    }
}
