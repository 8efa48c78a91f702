//! A comparison as text for people, and as Markdown.

use std::borrow::Cow;

use super::human::size;
use super::text::Text;
use crate::ledger::{Change, Diff, One};

/// Maximum number of rows of a kind without `--all`, for a terminal.
const MAX_ROWS: usize = 40;
/// The same for a comment on a pull request, whose length services limit.
const MAX_FOLDED: usize = 100;
/// Maximum number of characters of the rows of a kind in Markdown: GitHub takes 65,536 for a whole comment.
const MAX_TEXT: usize = 7000;
/// Maximum number of characters of a name, and of what is said about it, in Markdown.
const MAX_CELL: usize = 300;

/// Rows of one kind with their title.
struct Part {
    title: &'static str,
    rows: Vec<Row>,
}

/// A sign (`+`, `-` or `~`), a name, and details.
struct Row(char, String, String);

fn signed(grown: i128) -> String {
    let sign = if grown < 0 { '-' } else { '+' };
    format!("{sign}{}", size(u64::try_from(grown.unsigned_abs()).unwrap_or(u64::MAX)))
}

/// The change in percent with one decimal; empty if there was nothing before.
fn percent(diff: &Diff) -> String {
    if diff.before.bytes == 0 {
        return String::new();
    }
    let tenths = diff.grown() * 1000 / i128::from(diff.before.bytes);
    format!(", {}{}.{} %", if tenths < 0 { '-' } else { '+' }, tenths.abs() / 10, tenths.abs() % 10)
}

fn changes(all: &[Change]) -> Vec<Row> {
    let row = |change: &Change| match (&change.before, &change.after) {
        (None, Some(after)) => Row('+', change.name.clone(), after.clone()),
        (Some(before), None) => Row('-', change.name.clone(), before.clone()),
        (before, after) => Row(
            '~',
            change.name.clone(),
            format!("{} -> {}", before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default()),
        ),
    };
    all.iter().map(row).collect()
}

fn paths(sign: char, all: &[One]) -> impl Iterator<Item = Row> {
    all.iter().map(move |one| {
        let mut says = size(one.bytes);
        if let Some(package) = &one.package {
            says.push_str(&format!(", {package}"));
        }
        if let Some(because) = &one.because {
            says.push_str(&format!(": {because}"));
        }
        Row(sign, one.path.clone(), says)
    })
}

/// All parts that have rows; the most important for a reviewer come first.
fn parts(diff: &Diff) -> Vec<Part> {
    let groups = diff.groups.iter().map(|group| {
        let grown = i128::from(group.after) - i128::from(group.before);
        Row('~', group.name.clone(), format!("{} ({} -> {})", signed(grown), size(group.before), size(group.after)))
    });
    let finding = |sign: char, noted: &crate::ledger::Noted| {
        Row(sign, format!("{}[{}]", noted.level, noted.code), format!("{}: {}", noted.subject, noted.says))
    };
    let findings = diff.new_findings.iter().map(|noted| finding('+', noted));
    let findings = findings.chain(diff.gone_findings.iter().map(|noted| finding('-', noted)));
    let is_right = |change: &&Change| matches!(change.name.as_str(), "mode" | "owner");
    let rights = diff.changed.iter().flat_map(|both| {
        both.changes.iter().filter(is_right).map(|change| {
            let (before, after) = (change.before.as_deref().unwrap_or("-"), change.after.as_deref().unwrap_or("-"));
            Row('~', both.path.clone(), format!("{} {before} -> {after}", change.name))
        })
    });
    let contents = diff.changed.iter().filter_map(|both| {
        let others: Vec<&str> =
            both.changes.iter().filter(|change| !is_right(change)).map(|change| change.name.as_str()).collect();
        let grown = i128::from(both.after) - i128::from(both.before);
        let says = if grown == 0 { others.join(", ") } else { format!("{}, {}", others.join(", "), signed(grown)) };
        (!others.is_empty()).then(|| Row('~', both.path.clone(), says))
    });
    let all = paths('+', &diff.added).chain(paths('-', &diff.removed)).chain(contents).collect();
    let found = [
        Part { title: "settings", rows: changes(&diff.settings) },
        Part { title: "packages", rows: changes(&diff.packages) },
        Part { title: "libraries", rows: changes(&diff.libraries) },
        Part { title: "rights", rows: rights.collect() },
        Part { title: "findings", rows: findings.collect() },
        Part { title: "size by group", rows: groups.collect() },
        Part { title: "paths", rows: all },
        Part { title: "reasons", rows: changes(&diff.reasons) },
    ];
    found.into_iter().filter(|part| !part.rows.is_empty()).collect()
}

fn headline(diff: &Diff) -> String {
    format!(
        "{} -> {} ({}{}), {} -> {} files",
        size(diff.before.bytes),
        size(diff.after.bytes),
        signed(diff.grown()),
        percent(diff),
        diff.before.files,
        diff.after.files
    )
}

/// The comparison for a terminal.
pub(super) fn human(diff: &Diff, all: bool) -> Text {
    let mut out = Text::default();
    out.line(headline(diff));
    let limit = if all { usize::MAX } else { MAX_ROWS };
    for Part { title, rows } in parts(diff) {
        out.line(format!("{title}:"));
        for Row(sign, name, says) in rows.iter().take(limit) {
            out.line(format!("  {sign} {name}  {says}"));
        }
        if rows.len() > limit {
            out.line(format!("  … {} more; use --all", rows.len() - limit));
        }
    }
    if diff.is_empty() {
        out.line("nothing differs");
    }
    for broken in &diff.broken {
        out.line(format!("limit broken: {broken}"));
    }
    out
}

/// The comparison as Markdown: a headline, and folded tables.
pub(super) fn markdown(diff: &Diff, all: bool) -> Text {
    let mut out = Text::default();
    out.line(format!("**Image size: {}**", cell(&headline(diff))));
    for broken in &diff.broken {
        out.line("");
        out.line(format!(":x: {}", cell(broken)));
    }
    for Part { title, rows } in parts(diff) {
        out.lines(&format!("\n<details><summary>{title} ({})</summary>\n\n| | | |\n|-|-|-|", rows.len()));
        let mut left = if all { usize::MAX } else { MAX_TEXT };
        let limit = if all { usize::MAX } else { MAX_FOLDED };
        let shorten = |text: &str| if all { text.to_owned() } else { shortened(text) };
        let mut shown = 0;
        for Row(sign, name, says) in rows.iter().take(limit) {
            let line = format!("| {sign} | {} | {} |", code(&shorten(name)), cell(&shorten(says)));
            let Some(rest) = left.checked_sub(line.chars().count()) else { break };
            (left, shown) = (rest, shown + 1);
            out.line(line);
        }
        if rows.len() > shown {
            out.line(format!("| | | … {} more |", rows.len() - shown));
        }
        out.lines("\n</details>");
    }
    if diff.is_empty() {
        out.lines("\nNothing differs.");
    }
    out
}

/// The beginning of a text that is too long for a table.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text in a table: as it is if Markdown has no use for its characters, otherwise as code.
fn cell(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " /.,:;()%=+->".contains(c);
    // Services make links of addresses (GFM 0.29, 6.9).
    let is_address = ["://", "www.", "ftp."].iter().any(|sign| text.to_ascii_lowercase().contains(sign));
    match text.chars().all(is_plain) && !is_address {
        true => Cow::Borrowed(text),
        false => Cow::Owned(code(text)),
    }
}

/// A code span, in which nothing is markup, an address or a mention (GFM 0.29, 6.3). The fence is longer than any in
/// the text, and a table takes the backslash before a bar (4.10).
fn code(text: &str) -> String {
    let text = crate::text::line(text).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    if text.is_empty() { String::new() } else { format!("{fence}{pad}{text}{pad}{fence}") }
}

#[cfg(test)]
mod tests {
    use super::{cell, code};

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(code("a|b<x>@me_*"), "`a\\|b<x>@me_*`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
        assert_eq!(cell("1.0-1 -> 1.0-2"), "1.0-1 -> 1.0-2");
        for text in ["1~2", "https://x.example", "WWW.x.example", "@me", "#1", "*x*"] {
            assert_eq!(cell(text), format!("`{text}`"));
        }
    }
}
