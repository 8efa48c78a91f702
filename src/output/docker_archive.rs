//! `docker-archive:FILE[:REF]`, for `docker load` and `podman load`. It is the same archive as `oci-archive:`, but
//! uncompressed by default, because loading it would only decompress it again.

use super::oci_archive::Archive;
use super::{Destination, Naming, Output, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::Codec;

pub(super) const TRANSPORT: Transport = Transport { word: "docker-archive", naming: Naming::Name, start };

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    Ok(Box::new(Archive::start(destination, options, options.codec.unwrap_or(Codec::None), true)?))
}
