//! Checks that a destination neither overwrites packed files nor another destination.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Destination;
use super::aside::{is_empty_dir, parent};
use super::place::is_mount_point;
use super::reference::Name;
use crate::error::Error;
use crate::path::RootPath;
use crate::plan::{Content, ItemKind, Plan};
use crate::root::Tree;

/// Refuses to replace a packed file, or a directory that contains one and would be removed. Files are compared by
/// device and inode, so that symlinks and mounts cannot hide them.
///
/// # Errors
/// `output-exists`.
pub(super) fn refuse_packed(tree: &dyn Tree, plan: &Plan, destinations: &[Destination]) -> Result<(), Error> {
    let mut replaced = Vec::new();
    for destination in destinations.iter().filter(|found| found.has_path()) {
        match fs::symlink_metadata(&destination.path) {
            // An OCI layout is extended, never replaced; an empty directory contains nothing to lose.
            Ok(meta) if !meta.is_dir() => replaced.push((destination, meta)),
            Ok(meta) if destination.word == "dir" && !is_empty_dir(&destination.path) => {
                replaced.push((destination, meta));
            }
            _ => {}
        }
    }
    if replaced.is_empty() {
        return Ok(());
    }
    let packed = packed(tree, plan);
    for (destination, meta) in replaced {
        let path = &destination.path;
        let refused = |what: String, help: &str| Err(Error::new("output-exists", what).help(help));
        if packed.contains(&identity(&meta)) {
            return refused(
                format!("{} is the root that is being packed", path.display()),
                "--force would remove the root: use another destination",
            );
        }
        // A mount point is never replaced, and searching it could be slow.
        if !meta.is_dir() || is_mount_point(path) {
            continue;
        }
        match below(path, &packed) {
            Some(Below::Packed(found)) => {
                return refused(
                    format!("{} contains {}, which is being packed", path.display(), found.display()),
                    "--force would remove the root: use another directory",
                );
            }
            Some(Below::Mount(found)) => {
                return refused(
                    format!("{} contains the mount point {}", path.display(), found.display()),
                    "--force would remove the mounted files: unmount them first",
                );
            }
            None => {}
        }
    }
    Ok(())
}

fn identity(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// Identities of the root, of everything in it that the plan reads, and of the parent directories.
fn packed(tree: &dyn Tree, plan: &Plan) -> HashSet<(u64, u64)> {
    let mut paths = HashSet::from([RootPath::root()]);
    for (path, item) in &*plan.items {
        let source = match &item.kind {
            ItemKind::File(Content::FromRoot { path, .. }) => path,
            ItemKind::File(Content::Made(_)) => continue,
            _ => path,
        };
        paths.extend(source.ancestors());
        paths.insert(source.clone());
    }
    // Entries that exist only in the image have no identity, and unreadable ones could not have been planned.
    paths.iter().filter_map(|path| tree.meta(path).ok().flatten()).map(|meta| meta.identity).collect()
}

/// Something inside a directory that must not be removed.
enum Below {
    Packed(PathBuf),
    Mount(PathBuf),
}

fn below(dir: &Path, packed: &HashSet<(u64, u64)>) -> Option<Below> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // Checking directories is enough: removing another hard link of a packed file is harmless.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        // Stat by path, because a directory listing describes the directory below a mount point.
        if fs::symlink_metadata(&path).is_ok_and(|meta| packed.contains(&identity(&meta))) {
            return Some(Below::Packed(path));
        }
        if is_mount_point(&path) {
            return Some(Below::Mount(path));
        }
        if let Some(found) = below(&path, packed) {
            return Some(found);
        }
    }
    None
}

/// Refuses two destinations that would overwrite each other. Two tags in one OCI layout do not.
///
/// # Errors
/// `bad-argument`.
pub(super) fn refuse_same_place(destinations: &[Destination]) -> Result<(), Error> {
    let places: Vec<(&Destination, PathBuf)> = destinations
        .iter()
        .filter(|destination| !destination.is_stdout())
        .map(|destination| match &destination.address {
            Some(address) => (destination, PathBuf::from(address.full())),
            None if destination.has_path() => (destination, real(&destination.path)),
            None => (destination, PathBuf::from(&destination.text)),
        })
        .collect();
    let tag = |destination: &Destination| Name::new(destination.reference.as_deref()).ref_name().to_owned();
    for (number, (one, place)) in places.iter().enumerate() {
        for (other, other_place) in &places[number + 1..] {
            let are_tags = one.word == "oci" && other.word == "oci" && tag(one) != tag(other);
            let meet = if place == other_place {
                !are_tags
            } else {
                place.starts_with(other_place) || other_place.starts_with(place)
            };
            if meet {
                return Err(Error::new(
                    "bad-argument",
                    format!("{} and {} would overwrite each other", one.text, other.text),
                )
                .help("give each -o its own destination; only tags of one oci: layout may share it"));
            }
        }
    }
    Ok(())
}

/// Refuses a destination whose image the second image of another would replace.
///
/// # Errors
/// `bad-argument`.
pub(super) fn refuse_twin_tags(destinations: &[Destination], suffix: &str) -> Result<(), Error> {
    let name = |destination: &Destination, suffix: &str| match &destination.address {
        Some(address) => (PathBuf::new(), destination.word, format!("{}{suffix}", address.full())),
        None => {
            let name = Name::new(destination.reference.as_deref()).suffixed(suffix);
            let full = if destination.has_path() { None } else { name.full(true) };
            (real(&destination.path), destination.word, full.unwrap_or_else(|| name.ref_name()))
        }
    };
    for one in destinations.iter().filter(|one| !one.is_stdout() && one.has_config()) {
        if let Some(other) = destinations.iter().find(|other| name(other, "") == name(one, suffix)) {
            let says = format!("the second image of {} would have the name of {}", one.text, other.text);
            return Err(Error::new("bad-argument", says).help("give --debug-tag another suffix"));
        }
    }
    Ok(())
}

/// A path without symlinks; for a path that does not exist yet, the one that it will have.
fn real(path: &Path) -> PathBuf {
    let beside = || path.file_name().map(|name| real(parent(path)).join(name));
    path.canonicalize().ok().or_else(beside).unwrap_or_else(|| path.to_path_buf())
}
