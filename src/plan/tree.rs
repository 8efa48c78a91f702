//! A plan as a tree, so that programs can be resolved in the planned image.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{Content, Item, ItemKind, Plan};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, MemSource, Meta, Root, Source, Tree, Xattr};

/// A plan as a tree. The contents of the root's files are read from the root.
pub struct PlannedTree {
    items: BTreeMap<RootPath, (Item, Meta)>,
    root: Arc<dyn Tree>,
}

impl PlannedTree {
    /// The tree that a plan describes.
    pub fn new(plan: &Plan, root: &Arc<dyn Tree>) -> Self {
        let mut items: BTreeMap<RootPath, (Item, Meta)> = BTreeMap::new();
        for (number, (path, item)) in plan.items.iter().enumerate() {
            let (kind, size) = match &item.kind {
                ItemKind::Dir => (FileKind::Dir, 0),
                ItemKind::Link(_) => (FileKind::Link, 0),
                ItemKind::File(content) => (FileKind::File, content.size()),
                ItemKind::HardLink(first) => {
                    if let Some(known) = items.get(first).cloned() {
                        items.insert(path.clone(), known);
                    }
                    continue;
                }
            };
            let identity = (0, number as u64 + 1);
            let meta =
                Meta { kind, mode: item.mode, uid: item.uid, gid: item.gid, size, links: 1, identity, stamp: (0, 0) };
            items.insert(path.clone(), (item.clone(), meta));
        }
        Self { items, root: Arc::clone(root) }
    }

    /// The real path of a path in the image; `None` if it does not exist.
    pub(super) fn followed(self, path: &RootPath) -> Result<Option<RootPath>, Error> {
        let root = Root::new(Arc::new(self));
        Ok(root.follow(path.as_bytes())?.found().map(|(real, _)| real.clone()))
    }

    fn item(&self, path: &RootPath) -> Result<&(Item, Meta), Error> {
        self.items.get(path).ok_or_else(|| Error::unreadable(path, io::Error::from(io::ErrorKind::NotFound)))
    }
}

impl Tree for PlannedTree {
    fn meta(&self, path: &RootPath) -> Result<Option<Meta>, Error> {
        if path.is_root() {
            return self.root.meta(path);
        }
        Ok(self.items.get(path).map(|(_, meta)| *meta))
    }

    fn link_text(&self, path: &RootPath) -> Result<Vec<u8>, Error> {
        match &self.item(path)?.0.kind {
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
        let (item, meta) = self.item(path)?;
        match &item.kind {
            ItemKind::File(content @ Content::FromRoot { .. }) => content.open(&*self.root),
            ItemKind::File(Content::Made(bytes)) => Ok(Box::new(MemSource::new(*meta, Arc::clone(bytes)))),
            _ => Err(Error::unreadable(path, io::Error::from(io::ErrorKind::InvalidInput))),
        }
    }

    fn xattrs(&self, path: &RootPath) -> Result<Vec<Xattr>, Error> {
        Ok(self.item(path)?.0.xattrs.clone())
    }
}
