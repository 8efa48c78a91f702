//! A plan as a tree, so that programs can be resolved in the planned image.

use std::io;
use std::sync::Arc;

use super::{Content, Item, ItemKind, Items, Plan};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, MemSource, Meta, Root, Source, Tree, Xattr};

/// A plan as a tree. The contents of the root's files are read from the root.
pub struct PlannedTree {
    items: Arc<Items>,
    root: Arc<dyn Tree>,
}

impl PlannedTree {
    /// The tree that a plan describes.
    pub fn new(plan: &Plan, root: &Arc<dyn Tree>) -> Self {
        Self { items: Arc::clone(&plan.items), root: Arc::clone(root) }
    }

    /// The real path of a path in the image; `None` if it does not exist.
    pub(super) fn followed(self, path: &RootPath) -> Result<Option<RootPath>, Error> {
        let root = Root::new(Arc::new(self));
        Ok(root.follow(path.as_bytes())?.found().map(|(real, _)| real.clone()))
    }

    /// The item at a path; for a hard link the file that it is a name of.
    fn known(&self, path: &RootPath) -> Option<&Item> {
        match self.items.get(path)? {
            Item { kind: ItemKind::HardLink(first), .. } => self.items.get(first),
            item => Some(item),
        }
    }

    fn item(&self, path: &RootPath) -> Result<&Item, Error> {
        self.known(path).ok_or_else(|| Error::unreadable(path, io::Error::from(io::ErrorKind::NotFound)))
    }
}

fn meta(item: &Item) -> Meta {
    let (kind, size) = match &item.kind {
        ItemKind::Dir => (FileKind::Dir, 0),
        ItemKind::Link(_) => (FileKind::Link, 0),
        ItemKind::File(content) => (FileKind::File, content.size()),
        ItemKind::HardLink(_) => (FileKind::File, 0),
    };
    // Items do not move while the tree exists, so their addresses identify them.
    let identity = (0, std::ptr::from_ref(item) as usize as u64);
    Meta { kind, mode: item.mode, uid: item.uid, gid: item.gid, size, links: 1, identity, stamp: (0, 0) }
}

impl Tree for PlannedTree {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        if path.is_root() {
            return self.root.meta(path);
        }
        Ok(self.known(path).map(meta))
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        match &self.item(path)?.kind {
            ItemKind::Link(text) => Ok(text.clone()),
            _ => Err(Error::unreadable(path, io::Error::from(io::ErrorKind::InvalidInput))),
        }
    }

    fn list(&self, path: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        let below = self.items.range(path.clone()..).map(|(other, _)| other).take_while(|other| other.is_within(path));
        let children = below.filter(|other| other.parent().as_ref() == Some(path));
        Ok(children.map(|child| child.name().to_vec()).collect())
    }

    fn open(&self, path: &RootPath) -> Result<Box<dyn Source>, Error> {
        let item = self.item(path)?;
        match &item.kind {
            ItemKind::File(content @ Content::FromRoot { .. }) => content.open(&*self.root),
            ItemKind::File(Content::Made(bytes)) => Ok(Box::new(MemSource::new(meta(item), Arc::clone(bytes)))),
            _ => Err(Error::unreadable(path, io::Error::from(io::ErrorKind::InvalidInput))),
        }
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn has_paths(&self) -> bool {
        true
    }

    fn paths(&self) -> Option<Vec<RootPath>> {
        Some(self.items.keys().cloned().collect())
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        Ok(self.item(path)?.xattrs.clone())
    }
}
