//! The input of a command: a directory, or an image that is unpacked for it.

use std::sync::Arc;

use crate::cli::RootOptions;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root, Tree};
use crate::verify::{self, ReadOptions, Reference, RunConfig};

/// A root, with the run configuration if it is an image.
pub(crate) struct Subject {
    pub(crate) root: Root,
    pub(crate) image: Option<RunConfig>,
}

/// Callbacks of long work: progress, and a request to stop.
pub(crate) struct Watch<'a> {
    pub(crate) progress: &'a dyn Fn(u64, u64),
    pub(crate) stop: &'a (dyn Fn() -> bool + Sync),
}

impl Subject {
    /// Opens the root that the options name: a directory, or oci:, oci-archive:, docker-archive:.
    ///
    /// # Errors
    /// `root-missing`, `image-missing`, `bad-image`, `unreadable`.
    pub(crate) fn open(options: &RootOptions, watch: &Watch<'_>) -> Result<Self, Error> {
        let Some(reference) = options.root.to_str().and_then(Reference::parse) else {
            return Ok(Self { root: Root::open(&options.root)?, image: None });
        };
        let image = verify::read(&reference, &ReadOptions { progress: watch.progress, stop: watch.stop })?;
        Ok(Self { root: Root::new(image.tree), image: Some(image.run) })
    }

    /// The options, completed from the configuration if the root is an image.
    pub(crate) fn adopted(&self, options: &RootOptions) -> RootOptions {
        let Some(image) = &self.image else { return options.clone() };
        let own = image.env.iter().map(|(name, value)| format!("{name}={value}"));
        RootOptions {
            // Later values take precedence.
            env: own.chain(options.env.iter().cloned()).collect(),
            workdir: options.workdir.clone().or_else(|| Some(image.workdir.clone()).filter(|dir| !dir.is_empty())),
            ..options.clone()
        }
    }
}

/// The total size of a tree's files; hard links count once.
pub(crate) fn bytes_of(tree: &Arc<dyn Tree>) -> Option<u64> {
    let mut seen = std::collections::HashSet::new();
    let mut open = vec![RootPath::root()];
    let mut bytes = 0;
    while let Some(dir) = open.pop() {
        for name in tree.list(&dir).ok()? {
            let path = dir.join(&name);
            let Some(meta) = tree.meta(&path).ok()? else { continue };
            match meta.kind {
                FileKind::Dir => open.push(path),
                FileKind::File if meta.links == 1 || seen.insert(meta.identity) => bytes += meta.size,
                _ => {}
            }
        }
    }
    Some(bytes)
}
