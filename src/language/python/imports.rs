//! The imports that a source executes in every run: those at its top level. An import inside a block may be guarded by
//! `try` or a condition, so it is ignored.

use super::table::table;

/// One module in an import statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// Number of leading dots: 0 for an absolute name.
    pub(super) level: usize,
    /// The parts of the module's name; empty for `from . import x`.
    pub(super) module: Vec<String>,
    /// The names after `import` in `from x import a, b`, which may be modules too.
    pub(super) names: Vec<String>,
}

/// The imports of a source that no block guards.
pub(super) fn unguarded(text: &str) -> Vec<Import> {
    // A source that replaces modules with objects may import modules that do not exist.
    if table().calls.replaces_modules.occur_in(text.as_bytes()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for line in top_level(text) {
        for statement in line.split(';').map(str::trim) {
            read(statement, &mut found);
        }
    }
    found
}

/// Reads one simple statement.
fn read(statement: &str, found: &mut Vec<Import>) {
    let parts = |name: &str| -> Vec<String> {
        name.split('.').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let first_words = |list: &str| -> Vec<String> {
        let list = list.trim().trim_start_matches('(').trim_end_matches(')');
        list.split(',').filter_map(|item| item.split_whitespace().next()).map(str::to_owned).collect()
    };
    if let Some(list) = statement.strip_prefix("import ") {
        let modules = first_words(list).into_iter();
        found.extend(modules.map(|name| Import { level: 0, module: parts(&name), names: Vec::new() }));
    } else if let Some((module, list)) = statement
        .strip_prefix("from ")
        .and_then(|rest| rest.split_once(" import"))
        .filter(|(_, list)| list.starts_with([' ', '(', '\t']))
    {
        let module = module.trim();
        let level = module.len() - module.trim_start_matches('.').len();
        found.push(Import { level, module: parts(module), names: first_words(list) });
    }
}

/// The logical lines that begin in the first column, without comments and without the text of strings.
fn top_level(text: &str) -> Vec<String> {
    let (mut found, mut line, mut depth) = (Vec::new(), String::new(), 0_usize);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '\'' | '"' => {
                skip_string(&mut chars, c);
                line.push(c);
            }
            '\\' => {
                chars.next_if_eq(&'\r');
                chars.next_if_eq(&'\n');
                line.push(' ');
            }
            '\n' if depth == 0 => {
                if line.starts_with(|c: char| !c.is_whitespace()) {
                    found.push(std::mem::take(&mut line));
                }
                line.clear();
            }
            '\n' => line.push(' '),
            _ => {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                line.push(c);
            }
        }
    }
    found.extend(Some(line).filter(|line| line.starts_with(|c: char| !c.is_whitespace())));
    found
}

/// Skips the rest of a string after its first quote.
fn skip_string(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) {
    let mut is_long = false;
    if chars.next_if_eq(&quote).is_some() {
        is_long = chars.next_if_eq(&quote).is_some();
        if !is_long {
            return;
        }
    }
    let length = if is_long { 3 } else { 1 };
    let mut run = 0;
    while let Some(c) = chars.next() {
        run = if c == quote { run + 1 } else { 0 };
        if c == '\\' {
            chars.next();
        } else if run == length || c == '\n' && !is_long {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_imports_that_no_block_guards_are_seen() {
        let text = "\"\"\"\nimport doc\n\"\"\"\nimport os.path, a.b as c  # import no\nx = 'it\\'s'; import d\n\
                    from .e import (\n    f,  # why\n    g as h,\n)\nfrom . import i\ntry:\n    import j\nexcept E:\n    \
                    pass\ntry: import k\nexcept E: pass\nimport \\\n  l\ndef m():\n    import n\n";
        let one = |level, module: &str, names: &[&str]| Import {
            level,
            module: module.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let wanted = [
            one(0, "os.path", &[]),
            one(0, "a.b", &[]),
            one(0, "d", &[]),
            one(1, "e", &["f", "g"]),
            one(1, "", &["i"]),
            one(0, "l", &[]),
        ];
        assert_eq!(unguarded(text), wanted);
        assert_eq!(unguarded("sys.modules['a'] = None\nimport a\n"), []);
    }
}
