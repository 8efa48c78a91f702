//! The input of a request: a directory, or an image that is unpacked for it.

use std::path::Path;
use std::sync::Arc;

use super::PackRequest;
use crate::error::Error;
use crate::image_reader::{self, ReadOptions, Reference, RunConfig};
use crate::path::RootPath;
use crate::root::{FileKind, Root, Tree};

/// A root, with the run configuration if it is an image.
pub(crate) struct Input {
    pub(crate) root: Root,
    pub(crate) image: Option<RunConfig>,
}

/// Returns the run settings of an image, for a ledger.
#[cfg(feature = "cli")]
pub(crate) fn run_of(config: &RunConfig) -> crate::ledger::Run {
    crate::ledger::Run {
        entrypoint: config.entrypoint.clone(),
        command: config.command.clone(),
        env: config.env.clone(),
        workdir: config.workdir.clone(),
        user: config.user.clone(),
        ports: config.ports.iter().cloned().collect(),
        labels: config.labels.clone(),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
    }
}

/// Callbacks of long work: progress, and a request to stop.
pub(crate) struct Watch<'a> {
    pub(crate) progress: &'a dyn Fn(u64, u64),
    pub(crate) stop: &'a (dyn Fn() -> bool + Sync),
}

impl Input {
    /// Opens the root that a request names: a directory, or oci:, oci-archive:, docker-archive:, docker://.
    ///
    /// # Errors
    /// `root-missing`, `image-missing`, `bad-image`, `unreadable`, and the codes of registries.
    pub(crate) fn open(request: &PackRequest, watch: &Watch<'_>) -> Result<Self, Error> {
        let root = &request.root;
        let Some(reference) = root.to_str().and_then(Reference::parse) else {
            let opened = Root::open(root).map_err(|error| advised(error, root))?;
            if let Some(transport) = image_reader::transport_of(root) {
                let shown = root.display();
                return Err(Error::new(
                    "root-missing",
                    format!("the root {shown} is an image, not an unpacked file system"),
                )
                .help(format!("add its transport: --root {transport}:{shown}")));
            }
            if request.platform.is_some() {
                return Err(Error::new(
                    "bad-argument",
                    "--platform chooses an image of several, and the root is a directory",
                )
                .help("leave it out: an image from a directory has the architecture of its files"));
            }
            return Ok(Self { root: opened, image: None });
        };
        let image = image_reader::read(
            &reference,
            &ReadOptions {
                // The command's own line counts what is read.
                progress: &|_, _| (),
                stop: watch.stop,
                access: &request.access,
                platform: request.platform.as_ref(),
            },
        )?;
        Ok(Self { root: Root::new(image.tree), image: Some(image.run) })
    }

    /// Completes the environment, the working directory and the health check of a request from the configuration of the image.
    pub(crate) fn adopt_circumstances(&self, request: &mut PackRequest) {
        let Some(image) = &self.image else { return };
        for (name, value) in &image.env {
            request.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let workdir = || Some(image.workdir.clone()).filter(|dir| !dir.is_empty());
        request.workdir = request.workdir.take().or_else(workdir);
        request.healthcheck = request.healthcheck.take().or_else(|| image.healthcheck.clone());
    }

    /// Completes a request from the configuration of the image: everything that the request does not set. Returns notes
    /// about what is lost.
    pub(crate) fn adopt(&self, request: &mut PackRequest) -> Vec<String> {
        self.adopt_circumstances(request);
        self.image.as_ref().map_or_else(Vec::new, |image| super::settings::adopt(request, image))
    }
}

/// The error for a root that is no directory, with the transport of the image that it is.
pub(super) fn advised(error: Error, root: &Path) -> Error {
    if error.code != "root-missing" {
        return error;
    }
    let shown = root.display();
    if let Some(transport) = image_reader::transport_of(root) {
        return error.help(format!("this is an image: --root {transport}:{shown}"));
    }
    let text = root.to_string_lossy();
    if root.is_file() {
        return error.help(format!(
            "an archive of files is a root when it is unpacked: mkdir root && tar -xf {shown} -C root, then --root root; \
             docker save NAME -o FILE writes an image"
        ));
    }
    let is_name = !root.exists() && !text.starts_with(['/', '.']) && text.contains([':', '/']);
    match is_name {
        true => error.help(format!(
            "for an image in a registry, use --root docker://{text}; for one of docker or podman, run docker save \
             {text} -o fat.tar and use --root docker-archive:fat.tar"
        )),
        false => error.help(
            "name the directory that contains the root's /usr and /etc, or an image as oci:DIR, \
             oci-archive:FILE or docker-archive:FILE",
        ),
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
