//! Documents of an image in a registry.

use std::io::Read;

use super::store::Descriptor;
use super::{Fault, Reference, bad_archive, bad_image, shown};
use crate::digest::Digest;
use crate::error::Error;
use crate::registry::Pull;

/// True for the media type of an index, in both families.
pub(super) fn is_index(media_type: &str) -> bool {
    media_type.contains("index") || media_type.contains("manifest.list")
}

/// Reads a document that is a blob, such as a configuration, and checks it against its descriptor.
pub(super) fn document(
    pull: &Pull<'_>,
    reference: &Reference,
    descriptor: &Descriptor,
    max: u64,
) -> Result<Vec<u8>, Error> {
    let size = descriptor.size.filter(|size| *size <= max);
    let size = size.ok_or_else(|| bad_image(reference, "its configuration has no size, or one of more than 16 MiB"))?;
    let mut bytes = Vec::new();
    let read = pull.blob(&descriptor.digest, size)?.read_to_end(&mut bytes);
    read.map_err(|error| bad_archive(reference, "its configuration", Fault::Io(error)))?;
    if Digest::of(&bytes).to_string() != descriptor.digest {
        return Err(bad_image(reference, format!("{} is not that of its bytes", shown(&descriptor.digest))));
    }
    Ok(bytes)
}
