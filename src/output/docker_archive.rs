//! `docker-archive:FILE[:REF]`: what `docker load` and `podman load` take. The same archive as `oci-archive:`, with the
//! layer uncompressed unless the user wants otherwise: it is loaded at once, and would only be decompressed again.

use super::oci_archive::Archive;
use super::{Destination, Naming, Output, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::Codec;

pub(super) const TRANSPORT: Transport = Transport { word: "docker-archive", naming: Naming::Name, start };

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    Ok(Box::new(Archive::start(destination, options, options.codec.unwrap_or(Codec::None), true)?))
}
