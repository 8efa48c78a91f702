//! Yarn's Plug'n'Play: `.pnp.cjs` records the location of each package, usually an archive in a cache (yarnpkg.com,
//! "PnP specification"; virtual packages: `__virtual__/HASH/N/` means N directories up).

use std::collections::BTreeSet;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

const LOADER: &[u8] = b".pnp.cjs";
const MAX_LOADER: usize = 64 << 20;
const KEY: &[u8] = b"\"packageLocation\": \"";

/// The nearest loader in `dir` or a parent directory.
pub(super) fn above(root: &Root, dir: &RootPath) -> Result<Option<RootPath>, Error> {
    for above in std::iter::successors(Some(dir.clone()), RootPath::parent) {
        if let Some((real, _)) = root.follow(above.join(LOADER).as_bytes())?.file() {
            return Ok(Some(real.clone()));
        }
    }
    Ok(None)
}

/// Archives and directories that the loader refers to.
pub(super) fn places(root: &Root, loader: &RootPath) -> Result<BTreeSet<RootPath>, Error> {
    let dir = loader.parent().unwrap_or_else(RootPath::root);
    let data = root.read_followed(dir.join(b".pnp.data.json").as_bytes(), MAX_LOADER)?;
    let text = match data {
        Some((_, text)) => text,
        None => root.read(loader, MAX_LOADER)?,
    };
    let mut found = BTreeSet::new();
    for at in memchr::memmem::find_iter(&text, KEY) {
        let rest = &text[at + KEY.len()..];
        let Some(end) = rest.iter().position(|byte| *byte == b'"') else { break };
        let place = devirtualized(&String::from_utf8_lossy(&rest[..end]));
        let archive = place.find(".zip/").map_or(place.as_str(), |end| &place[..end + 4]);
        if let Some((real, _)) = root.follow_from(&dir, archive.as_bytes())?.found() {
            found.insert(real.clone());
        }
    }
    Ok(found)
}

fn devirtualized(place: &str) -> String {
    for mark in ["/__virtual__/", "/$$virtual/"] {
        if let Some((base, rest)) = place.split_once(mark)
            && let Some((_, rest)) = rest.split_once('/')
            && let Some((depth, rest)) = rest.split_once('/')
        {
            // This works on path components alone, because the directories need not exist.
            let mut parts: Vec<&str> = base.split('/').collect();
            for _ in 0..depth.parse::<usize>().unwrap_or(0).min(64) {
                match parts.last() {
                    Some(&("." | "..")) | None => parts.push(".."),
                    Some(_) => drop(parts.pop()),
                }
            }
            parts.push(rest);
            return parts.join("/");
        }
    }
    place.to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn places_are_archives_directories_and_what_virtual_ones_stand_for() {
        let mut tree = MemTree::default();
        tree.file("/w/app/.pnp.cjs", 0o644, "\"packageLocation\": \"./\",\\\n\"packageLocation\": \"./.yarn/__virtual__/d-1/2/c/d.zip/node_modules/d/\",\"packageLocation\": \"../none/\"")
            .file("/w/c/d.zip", 0o644, "");
        let root = Root::new(Arc::new(tree));
        let cwd = RootPath::new("/w/app").expect("a path");
        let loader = above(&root, &cwd).expect("readable").expect("there");
        let told: Vec<String> = places(&root, &loader).expect("readable").iter().map(ToString::to_string).collect();
        assert_eq!(told, ["/w/app", "/w/c/d.zip"]);
    }
}
