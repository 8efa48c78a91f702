//! One directive with its words per line, blocks in braces, and shell scripts that end with a line `endscript`:
//! logrotate.conf(5).

use super::{Statement, words};

/// Directives that a script follows.
const SCRIPTS: [&str; 5] = ["firstaction", "lastaction", "prerotate", "postrotate", "preremove"];
const END: &str = "endscript";

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut script: Option<Statement> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(mut open) = script.take() {
            if trimmed == END {
                statements.push(open);
            } else {
                open.text.push_str(line);
                open.text.push('\n');
                script = Some(open);
            }
            continue;
        }
        let mut words = words(trimmed).into_iter();
        let Some(name) = words.next() else { continue };
        let statement = Statement { line: index + 1, name, words: words.collect(), ..Statement::default() };
        match SCRIPTS.contains(&statement.name.as_str()) {
            true => script = Some(statement),
            false => statements.push(statement),
        }
    }
    // Keep a script without an end too.
    statements.extend(script);
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_whole() {
        let text = "include /etc/x.d\n/var/log/*.log {\n  compresscmd /usr/bin/xz\n  postrotate\n    if true; then\n      a b\n    fi\n  endscript\n}\n";
        let read: Vec<(usize, String, String)> =
            parse(text).into_iter().map(|one| (one.line, one.name, one.text)).collect();
        let script = "    if true; then\n      a b\n    fi\n";
        let wanted = [
            (1, "include", ""),
            (2, "/var/log/*.log", ""),
            (3, "compresscmd", ""),
            (4, "postrotate", script),
            (9, "}", ""),
        ];
        assert_eq!(read, wanted.map(|(line, name, text)| (line, name.to_owned(), text.to_owned())));
    }
}
