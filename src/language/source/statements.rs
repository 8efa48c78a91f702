//! Statements that every run of a source reaches: those that begin in the first column, since code in blocks is
//! indented.

/// Parts of a source that are not code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prose {
    /// Beginnings of lines of a block of documentation, and of its last line.
    pub(crate) block: (&'static str, &'static str),
    /// Lines after which the source ends.
    pub(crate) ends: &'static [&'static str],
    /// The sign before the name of a here-document.
    pub(crate) here: &'static str,
}

/// The lines that begin in the first column, with their numbers from 1.
pub(crate) fn first_column<'t>(text: &'t str, prose: &Prose) -> Vec<(usize, &'t str)> {
    let (mut found, mut is_block) = (Vec::new(), false);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if is_block {
            is_block = !line.starts_with(prose.block.1);
            continue;
        }
        if prose.ends.contains(&line.trim_end()) {
            break;
        }
        if let Some(rest) = line.strip_prefix(prose.block.0) {
            is_block = !rest.contains(prose.block.1);
            continue;
        }
        if line.starts_with(|c: char| c.is_alphabetic() || c == '<') {
            found.push((at + 1, line));
        }
        let Some(name) = here(line, prose.here) else { continue };
        let is_end = |line: &str| line.trim().trim_end_matches([';', ')', ',']) == name;
        if lines.clone().any(|(_, line)| is_end(line)) {
            while lines.next().is_some_and(|(_, line)| !is_end(line)) {}
        }
    }
    found
}

/// The name of the here-document that a line begins: `<<~EOT`, `<<"EOT"`.
fn here<'t>(line: &'t str, sign: &str) -> Option<&'t str> {
    let (_, rest) = line.split_once(sign)?;
    let rest = rest.trim_start_matches(['~', '-', '"', '\'']);
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    Some(&rest[..end]).filter(|name| name.starts_with(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_here_documents_and_blocks_are_no_statements() {
        let prose = Prose { block: ("=begin", "=end"), ends: &["__END__"], here: "<<" };
        let text = "one\n  inner\n=begin\nno\n=end\ntwo <<~EOT\nno\n  EOT\n# no\nthree << FOUR\nfive\n__END__\nno\n";
        let lines: Vec<usize> = first_column(text, &prose).into_iter().map(|(at, _)| at).collect();
        assert_eq!(lines, [1, 6, 10, 11]);
    }
}
