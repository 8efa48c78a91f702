//! Media types of images.

/// A document or layer of an image, with its media types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// An index of images.
    Index,
    /// The manifest of an image.
    Manifest,
    /// The configuration of an image.
    Config,
    /// An uncompressed layer.
    Layer,
    /// A layer compressed with gzip.
    LayerGzip,
    /// A layer compressed with zstd.
    LayerZstd,
}

impl MediaType {
    /// The name of the OCI image specification (media-types.md).
    pub fn oci(self) -> &'static str {
        match self {
            Self::Index => "application/vnd.oci.image.index.v1+json",
            Self::Manifest => "application/vnd.oci.image.manifest.v1+json",
            Self::Config => "application/vnd.oci.image.config.v1+json",
            Self::Layer => "application/vnd.oci.image.layer.v1.tar",
            Self::LayerGzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::LayerZstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// The name in docker's image manifest, version 2, schema 2; zstd as BuildKit writes it.
    pub fn docker(self) -> &'static str {
        match self {
            Self::Index => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::Manifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::Config => "application/vnd.docker.container.image.v1+json",
            Self::Layer => "application/vnd.docker.image.rootfs.diff.tar",
            Self::LayerGzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            Self::LayerZstd => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        }
    }
}
