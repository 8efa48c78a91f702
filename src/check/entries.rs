//! The entries of an image in order, and limits on what is said about them.

use std::vec;

use super::KERNELS;
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::path::RootPath;
use crate::root::{FileKind, Meta, Tree};

/// Maximum number of findings of one check about single paths; the others are counted.
const MAX_FOUND: usize = 1000;

/// A path with its metadata.
pub(super) type EntryOf = Result<(RootPath, Meta), Error>;

/// Walks a tree in memory without a list of its paths: directories that are open, each with the names that are left.
pub(super) struct Entries<'a> {
    tree: &'a dyn Tree,
    open: Vec<(RootPath, vec::IntoIter<Vec<u8>>)>,
}

impl<'a> Entries<'a> {
    pub(super) fn of(tree: &'a dyn Tree) -> Result<Self, Error> {
        let root = RootPath::root();
        let names = tree.list(&root)?.into_iter();
        Ok(Self { tree, open: vec![(root, names)] })
    }

    fn entered(&mut self, path: RootPath) -> Result<(RootPath, Option<Meta>), Error> {
        let meta = self.tree.meta(&path)?;
        if meta.is_some_and(|meta| meta.kind == FileKind::Dir) && !KERNELS.contains(&path.as_bytes()) {
            let names = self.tree.list(&path)?.into_iter();
            self.open.push((path.clone(), names));
        }
        Ok((path, meta))
    }
}

impl Iterator for Entries<'_> {
    type Item = EntryOf;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (dir, names) = self.open.last_mut()?;
            let Some(path) = names.next().map(|name| dir.join(&name)) else {
                self.open.pop();
                continue;
            };
            match self.entered(path) {
                Ok((path, Some(meta))) => return Some(Ok((path, meta))),
                Ok((_, None)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Findings of one check about paths.
#[derive(Default)]
pub(super) struct Found {
    all: Vec<Finding>,
    /// The number of those that are not kept, with the level of the worst.
    left: usize,
    level: Option<Level>,
}

impl Found {
    pub(super) fn of(all: Vec<Finding>) -> Self {
        Self { all, ..Self::default() }
    }

    pub(super) fn push(&mut self, level: Level, finding: impl FnOnce() -> Finding) {
        if self.all.len() < MAX_FOUND {
            self.all.push(finding());
        } else {
            self.left += 1;
            self.level = self.level.max(Some(level));
        }
    }

    /// The findings, and one about the number of those that are not kept.
    pub(super) fn finish(mut self, code: &'static str) -> Vec<Finding> {
        if let Some(level) = self.level {
            let says = format!("the same holds for {} more paths", self.left);
            self.all.push(
                Finding::new(code, level, "more paths", says).help("mend those that are listed, and check again"),
            );
        }
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::MemTree;

    /// The judge is the order of paths themselves.
    #[test]
    fn every_entry_comes_once_and_in_order() {
        let mut tree = MemTree::default();
        for path in ["/a.b", "/a/b/c", "/a/b-c", "/a-b", "/proc/1/fd", "/z"] {
            tree.file(path, 0o644, "");
        }
        let walked: Result<Vec<_>, _> = Entries::of(&tree).expect("a root").collect();
        let found: Vec<RootPath> = walked.expect("readable").into_iter().map(|(path, _)| path).collect();
        let mut sorted: Vec<RootPath> = ["/a", "/a-b", "/a.b", "/a/b", "/a/b-c", "/a/b/c", "/proc", "/z"]
            .iter()
            .filter_map(RootPath::new)
            .collect();
        sorted.sort();
        assert_eq!(found, sorted);
    }

    #[test]
    fn findings_that_are_not_kept_are_counted() {
        let mut found = Found::default();
        for at in 0..MAX_FOUND + 7 {
            let level = if at == MAX_FOUND + 3 { Level::Error } else { Level::Note };
            found.push(level, || Finding::new("set-id", level, format!("/{at}"), String::new()));
        }
        let all = found.finish("set-id");
        let last = all.last().expect("one");
        assert_eq!((all.len(), last.level), (MAX_FOUND + 1, Level::Error));
        assert!(last.says.contains("7 more"), "{}", last.says);
    }
}
