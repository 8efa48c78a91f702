//! Walks a directory with all of its contents, without following symlinks.

use super::Root;
use super::tree::{FileKind, Meta};
use crate::error::Error;
use crate::path::RootPath;

/// The continuation of a visit after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// Continue; enter the entry if it is a directory.
    Enter,
    /// Continue; do not enter the entry.
    Pass,
    /// Stop: the result is known.
    End,
}

impl Root {
    /// Visits every entry below the directory at a real path: the names of each directory in order, each before its
    /// contents.
    ///
    /// # Errors
    /// `unreadable`, and any error returned by `each`.
    pub fn visit(
        &self,
        dir: &RootPath,
        each: &mut dyn FnMut(&RootPath, &Meta) -> Result<Visit, Error>,
    ) -> Result<(), Error> {
        let mut open = vec![dir.clone()];
        while let Some(dir) = open.pop() {
            for name in self.list(&dir)? {
                let path = dir.join(&name);
                let Some(meta) = self.meta(&path)? else { continue };
                match each(&path, &meta)? {
                    Visit::End => return Ok(()),
                    Visit::Enter if meta.kind == FileKind::Dir => open.push(path),
                    Visit::Enter | Visit::Pass => {}
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn directories_are_passed_by_and_links_are_not_entered() {
        let mut tree = MemTree::default();
        tree.file("/a/one", 0o644, "").file("/a/out/two", 0o644, "").file("/a/z/three", 0o644, "").link("/a/b", "/a/z");
        let root = Root::new(Arc::new(tree));
        let visited_until = |last: &str| {
            let mut seen = Vec::new();
            let visited = root.visit(&RootPath::new("/a").expect("a path"), &mut |path, _| {
                seen.push(path.to_string());
                Ok(match path.name() {
                    b"out" => Visit::Pass,
                    name if name == last.as_bytes() => Visit::End,
                    _ => Visit::Enter,
                })
            });
            visited.expect("readable");
            seen
        };
        assert_eq!(visited_until(""), ["/a/b", "/a/one", "/a/out", "/a/z", "/a/z/three"]);
        assert_eq!(visited_until("one"), ["/a/b", "/a/one"]);
    }
}
