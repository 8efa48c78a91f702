//! `--copy`: files and directories at another path in the image, with the modes and owners of the root.

use super::{Content, Item, ItemKind, Plan, tree::PlannedTree};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};

impl Plan {
    /// Copies the file or directory (with its contents) at `from` to the path `to`.
    pub(super) fn copy(&mut self, root: &Root, from: &RootPath, to: &RootPath) -> Result<(), Error> {
        let Some(start) = root.follow(from.as_bytes())?.found().map(|(real, _)| real.clone()) else { return Ok(()) };
        // The parent directory may be a symlink.
        let parent = to.parent().unwrap_or_else(RootPath::root);
        let parent = PlannedTree::new(self, root.tree()).followed(&parent)?.unwrap_or(parent);
        let goal = if to.is_root() { RootPath::root() } else { parent.join(to.name()) };
        let mut open = vec![(start, goal)];
        while let Some((path, place)) = open.pop() {
            let Some(meta) = root.meta(&path)? else { continue };
            self.add_parents(root, &place)?;
            let item = match meta.kind {
                FileKind::Dir => {
                    open.extend(root.list(&path)?.iter().map(|name| (path.join(name), place.join(name))));
                    self.settled(root, &path, &meta, ItemKind::Dir)?
                }
                FileKind::Link => {
                    let text = root.tree().link_text(&path)?;
                    Item::new(ItemKind::Link(text), 0o777, (meta.uid, meta.gid))
                }
                FileKind::File => {
                    let content =
                        Content::FromRoot { path: path.clone(), size: meta.size, stamp: meta.stamp, stripped: None };
                    self.settled(root, &path, &meta, ItemKind::File(content))?
                }
                FileKind::Other => continue,
            };
            if !place.is_root() {
                self.items_mut().insert(place, item);
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
    fn trees_go_elsewhere_with_their_modes() {
        let mut tree = MemTree::default();
        tree.file("/web/dist/index.html", 0o640, "x").link("/web/dist/a", "index.html").dir("/web/dist/empty", 0o700);
        let root = Root::new(Arc::new(tree));
        let mut plan = Plan::default();
        let path = |text| RootPath::new(text).expect("a path");
        plan.copy(&root, &path("/web/dist"), &path("/srv/www")).expect("copied");
        let shown: Vec<String> = plan.items.iter().map(|(path, item)| format!("{path} {:o}", item.mode)).collect();
        assert_eq!(
            shown,
            ["/srv 755", "/srv/www 755", "/srv/www/a 777", "/srv/www/empty 700", "/srv/www/index.html 640"]
        );
    }
}
