//! Options of commands that read images made by any tool: registries and platforms.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::Error;
use crate::image_reader::Platform;
use crate::pack::{Input, PackRequest, Watch};
use crate::registry::Access;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImageAccess {
    /// Platform to take from an image that has several, such as linux/arm64. Default: that of this machine, or else the
    /// first.
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,
    /// A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable.
    #[arg(long = "registry-ca", value_name = "FILE")]
    registry_ca: Vec<PathBuf>,
    /// Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS.
    #[arg(long)]
    insecure: bool,
}

impl ImageAccess {
    /// Settings for access to registries.
    pub(crate) fn access(&self) -> Access {
        let mut access = Access::default();
        access.ca.clone_from(&self.registry_ca);
        access.is_insecure = self.insecure;
        access
    }

    /// Opens a directory or image.
    pub(super) fn open(&self, root: impl AsRef<Path>, watch: &Watch<'_>) -> Result<Input, Error> {
        let mut request = PackRequest::new(root.as_ref(), Vec::<String>::new());
        request.platform.clone_from(&self.platform);
        request.access = self.access();
        Input::open(&request, watch)
    }
}
