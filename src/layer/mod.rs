//! The layer: a plan as a deterministic tar stream, compressed and hashed in one pass.
//!
//! Block boundaries depend only on the entries, so the number of threads, their timing and the cache do not affect the
//! output.

mod blob;
mod cache;
mod cut;
mod deflate;
mod gzip;
mod pass;
mod tar;

use crate::digest::Digest;

pub use blob::Blob;
pub use cache::{CACHE_SIZE, Cache, CacheUse};
pub use cut::{Layering, MAX_LAYERS, Part, Slot, cut};
pub use pass::{PassOptions, Tap, pack};
pub(crate) use pass::{interrupted, read_all};
pub use tar::ArchiveWriter;

/// Compression of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// gzip at this level (1 to 12), a single member.
    Gzip(u8),
    /// zstd at this level (1 to 19).
    Zstd(u8),
    /// Uncompressed.
    None,
}

impl Codec {
    /// gzip at the level from which libdeflate's output hardly gets smaller.
    pub const GZIP: Self = Self::Gzip(6);
    /// zstd at its default level.
    pub const ZSTD: Self = Self::Zstd(3);

    /// The media type of a layer with this compression (OCI image specification, layer.md).
    pub fn media_type(self) -> oci_spec::image::MediaType {
        use oci_spec::image::MediaType;
        match self {
            Self::Gzip(_) => MediaType::ImageLayerGzip,
            Self::Zstd(_) => MediaType::ImageLayerZstd,
            Self::None => MediaType::ImageLayer,
        }
    }

    /// The value of `--compression`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
            Self::None => "none",
        }
    }
}

/// A completely written layer; only [`pack`] creates one.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Layer {
    /// Digest of the bytes as stored.
    pub digest: Digest,
    /// Digest of the tar stream.
    pub diff_id: Digest,
    /// Size as stored.
    pub size: u64,
    /// Size of the tar stream.
    pub tar_size: u64,
    /// The compression.
    #[serde(skip)]
    pub codec: Codec,
    /// Title of the layer, if the image has several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
}
