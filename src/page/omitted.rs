//! Files of the builder's root that are not in the image, by package or directory, with the option that adds them.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::ledger::{Gone, Ledger, left_out};
use crate::path::RootPath;
use crate::root::RootGlob;
use crate::text::shell_word;

/// Maximum number of rows of the table; the smallest are combined into one row.
const MAX_ROWS: usize = 400;
/// Depth of directories by which files are grouped.
const DEPTH: usize = 4;

/// Table of files that were left out.
pub struct LeftOutTable {
    /// Number of files.
    pub files: usize,
    /// Their bytes; every name of a hard link counts.
    pub bytes: u64,
    /// The rules, with the sum of each.
    pub rules: Vec<(String, usize, u64)>,
    /// Packages and directories, the largest first.
    pub rows: Vec<AbsentRow>,
    /// Sum of what has no row of its own: number of rows, files, bytes.
    pub rest: (usize, usize, u64),
}

/// A package or a directory, of which files were left out by one rule.
pub struct AbsentRow {
    /// The package, or the directory.
    pub what: String,
    /// True for a package.
    pub is_package: bool,
    /// The number of its rule.
    pub rule: usize,
    /// Number of files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The option that adds them, for a shell; `None` if no text can be pasted safely.
    pub option: Option<String>,
}

/// The table of a planned image; `None` if the root has too many files to be counted.
pub(super) fn table(ledger: &Ledger<'_>, exclude: &[RootGlob]) -> Result<Option<LeftOutTable>, Error> {
    let Some((sums, gone)) = left_out(ledger, exclude)? else { return Ok(None) };
    let claimed = ledger.closure.claimed();
    // Sums by rule, package or directory, and name: files, bytes, and the directory.
    type Sum = (usize, u64, Option<RootPath>);
    let mut groups: BTreeMap<(usize, bool, String), Sum> = BTreeMap::new();
    for file in &gone {
        let is_claimed = || file.path.ancestors().iter().any(|dir| claimed.contains(dir));
        let (is_package, what, dir) = match file.package.as_ref().filter(|_| !is_claimed()) {
            Some(package) => (true, package.clone(), None),
            None => {
                let dir = directory(&file.path);
                (false, dir.to_string(), Some(dir))
            }
        };
        let sum = groups.entry((file.rule, is_package, what)).or_insert((0, 0, dir));
        *sum = (sum.0 + 1, sum.1 + file.size, sum.2.take());
    }
    let mut rows = Vec::new();
    for ((rule, is_package, what), (files, bytes, dir)) in groups {
        let option = option(&sums[rule].rule, &what, dir.as_ref());
        rows.push(AbsentRow { what, is_package, rule, files, bytes, option });
    }
    rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| (&a.what, a.rule).cmp(&(&b.what, b.rule))));
    let small = rows.split_off(rows.len().min(MAX_ROWS));
    Ok(Some(LeftOutTable {
        files: gone.len(),
        bytes: gone.iter().map(|file: &Gone| file.size).sum(),
        rules: sums.into_iter().map(|sum| (sum.rule, sum.files, sum.bytes)).collect(),
        rows,
        rest: (small.len(), small.iter().map(|row| row.files).sum(), small.iter().map(|row| row.bytes).sum()),
    }))
}

/// The directory by which a file is grouped: at most four levels deep.
fn directory(path: &RootPath) -> RootPath {
    let mut dir = path.parent().unwrap_or_else(RootPath::root);
    while dir.ancestors().len() > DEPTH {
        dir = dir.parent().unwrap_or_else(RootPath::root);
    }
    dir
}

fn option(rule: &str, what: &str, dir: Option<&RootPath>) -> Option<String> {
    if let Some(pattern) = rule.strip_prefix("--exclude ") {
        return Some(format!("without --exclude {}", shell_word(pattern)?));
    }
    Some(match dir {
        Some(dir) => format!("--include {}", shell_word(&pattern(&dir.to_string()))?),
        None => format!("--package {}", shell_word(what)?),
    })
}

/// A path as a pattern that matches only itself.
fn pattern(path: &str) -> String {
    path.chars().map(|c| if "[]*?".contains(c) { format!("[{c}]") } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::{directory, option};
    use crate::path::RootPath;

    #[test]
    fn a_directory_stands_for_what_is_below() {
        for (path, dir) in [("/a", "/"), ("/a/b/c", "/a/b"), ("/a/b/c/d/e", "/a/b/c/d"), ("/a/b/c/d/e/f", "/a/b/c/d")] {
            assert_eq!(directory(&RootPath::new(path).expect("a path")).to_string(), dir);
        }
    }

    #[test]
    fn options_can_be_pasted() {
        let dir = |path| RootPath::new(path).expect("a path");
        assert_eq!(option("x", "vim", None).as_deref(), Some("--package vim"));
        assert_eq!(option("x", "", Some(&dir("/srv/a b*"))).as_deref(), Some("--include '/srv/a b[*]'"));
        assert_eq!(option("--exclude /a", "", Some(&dir("/a"))).as_deref(), Some("without --exclude /a"));
        assert_eq!(option("x", "", Some(&dir("/a\u{202e}"))), None);
    }
}
