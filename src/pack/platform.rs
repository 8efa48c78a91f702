//! The image of one platform, if each of an index was packed.

use serde::Serialize;

use crate::digest::Digest;

/// The image of one platform.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct PlatformPacked {
    /// The platform, such as `linux/arm64`.
    pub platform: String,
    /// Regular files.
    pub files: usize,
    /// Bytes of all regular files.
    pub bytes: u64,
    /// Digest of the manifest.
    pub manifest: Option<Digest>,
}
