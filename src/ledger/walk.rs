//! All entries of a tree, without the kernel's directories and other file systems.

use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Meta, Root, Tree};

/// Directories of kernel file systems, whose files do not belong to a root.
const OF_KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// All entries of a root; see [`entries`].
pub(crate) fn entries_of(root: &Root, limit: usize) -> Result<Option<Vec<(RootPath, Meta)>>, Error> {
    entries(&**root.tree(), limit)
}

/// All entries below the top of a tree, sorted. `None` if there are more than `limit`. Directories on other file
/// systems are listed, but not entered, because they are not part of the tree; unreadable ones are skipped.
pub(super) fn entries(tree: &dyn Tree, limit: usize) -> Result<Option<Vec<(RootPath, Meta)>>, Error> {
    let own = tree.meta(&RootPath::root())?.map(|meta| meta.identity.0);
    let mut open = vec![RootPath::root()];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        let Ok(names) = tree.list(&dir) else { continue };
        for name in names {
            let path = dir.join(&name);
            let Some(meta) = tree.meta(&path)? else { continue };
            if found.len() == limit {
                return Ok(None);
            }
            let is_kernels = OF_KERNEL.iter().any(|dir| path.as_bytes() == dir.as_bytes());
            // Trees in memory have arbitrary device numbers.
            let is_entered = tree.is_in_memory() || own.is_none_or(|own| own == meta.identity.0);
            if meta.kind == FileKind::Dir && is_entered && !is_kernels {
                open.push(path.clone());
            }
            found.push((path, meta));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Some(found))
}
