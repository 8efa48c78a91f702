//! One directive with its words per line, sections in angle brackets: Apache (server/config.c) and similar formats.

use super::{Statement, continued, words};

pub(super) fn parse(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    // Number of open conditional sections: `<IfModule …>`, `<IfDefine …>`.
    let mut conditions = 0_usize;
    for (line, text) in continued(text) {
        let text = text.trim();
        if let Some(section) = text.strip_prefix('<') {
            let (is_end, name) = section.strip_prefix('/').map_or((false, section), |name| (true, name));
            if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("if")) {
                conditions = if is_end { conditions.saturating_sub(1) } else { conditions + 1 };
            }
            continue;
        }
        let mut words = words(text).into_iter();
        if let Some(name) = words.next() {
            let is_conditional = conditions > 0;
            statements.push(Statement { line, name, words: words.collect(), is_conditional, ..Statement::default() });
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_continued_lines_are_seen() {
        let text =
            "# x\nLoadModule a_module \\\n  \"/opt/a b.so\"\n<IfModule b>\nInclude c # d\n</IfModule>\nInclude e\n";
        let read: Vec<(usize, String, bool)> = parse(text)
            .into_iter()
            .map(|one| (one.line, format!("{} {}", one.name, one.words.join("|")), one.is_conditional))
            .collect();
        let wanted = [(2, "LoadModule a_module|/opt/a b.so", false), (5, "Include c", true), (7, "Include e", false)];
        assert_eq!(read, wanted.map(|(line, text, is_conditional)| (line, text.to_owned(), is_conditional)));
    }
}
