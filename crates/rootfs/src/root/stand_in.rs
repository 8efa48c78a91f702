//! A tree in which another tree replaces a directory, except parts that the directory keeps.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::tree::{Meta, Source, Tree, Xattr};
use crate::error::Error;
use crate::path::RootPath;

/// A tree with one directory replaced by another tree.
pub struct StandIn {
    base: Arc<dyn Tree>,
    other: Box<dyn Tree>,
    at: RootPath,
    kept: BTreeSet<RootPath>,
}

impl StandIn {
    /// Replaces the directory at the real path `at` with `other`. Paths in `kept`, files and whole directories, still
    /// come from the original.
    pub fn new(base: Arc<dyn Tree>, other: Box<dyn Tree>, at: RootPath, kept: BTreeSet<RootPath>) -> Self {
        Self { base, other, at, kept }
    }

    /// The tree that contains a path, and the path in that tree.
    fn place(&self, path: &RootPath) -> (&dyn Tree, RootPath) {
        let is_kept = || path.ancestors().iter().chain([path]).any(|above| self.kept.contains(above));
        if !path.is_within(&self.at) || is_kept() {
            return (&*self.base, path.clone());
        }
        let inside = &path.as_bytes()[self.at.as_bytes().len()..];
        (&*self.other, RootPath::new([b"/", inside].concat()).unwrap_or_else(RootPath::root))
    }
}

impl Tree for StandIn {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        let (tree, path) = self.place(path);
        tree.meta(&path)
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        let (tree, path) = self.place(path);
        tree.link_text(&path)
    }

    fn list(&self, dir: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        let (tree, path) = self.place(dir);
        let mut names = tree.list(&path)?;
        names.extend(
            self.kept.iter().filter(|kept| kept.parent().as_ref() == Some(dir)).map(|kept| kept.name().to_vec()),
        );
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        let (tree, path) = self.place(path);
        tree.open(&path)
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        let (tree, path) = self.place(path);
        tree.xattrs(&path)
    }

    fn layer(&self, path: &RootPath) -> u32 {
        let (tree, path) = self.place(path);
        tree.layer(&path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::{MemTree, Root};

    #[test]
    fn what_is_kept_goes_before_what_stands_in() {
        let path = |text| RootPath::new(text).expect("a path");
        let (mut base, mut other) = (MemTree::default(), MemTree::default());
        base.file("/home/old", 0o644, "").file("/home/lib/store", 0o644, "own").file("/home/conf/a", 0o644, "own");
        base.file("/homes", 0o644, "beside");
        other.file("/new", 0o644, "new").file("/lib/store", 0o644, "theirs").file("/conf/b", 0o644, "theirs");
        let kept = ["/home/lib/store", "/home/conf"].map(path).into();
        let tree = StandIn::new(Arc::new(base), Box::new(other), path("/home"), kept);
        let root = Root::new(Arc::new(tree));
        let names = |dir| {
            let names = root.list(&path(dir)).expect("listed");
            names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("/"), ["home", "homes"]);
        assert_eq!(names("/home"), ["conf", "lib", "new"]);
        assert_eq!((names("/home/conf"), names("/home/lib")), (vec!["a".to_owned()], vec!["store".to_owned()]));
        assert_eq!(root.read(&path("/home/lib/store"), 9).expect("read"), b"own");
        assert_eq!(root.read(&path("/home/new"), 9).expect("read"), b"new");
        assert!(root.meta(&path("/home/old")).expect("readable").is_none());
    }
}
