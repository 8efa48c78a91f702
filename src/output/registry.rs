//! `docker://HOST/NAME[:TAG]`: an image in a registry. Blobs are sent while the output is completed, the manifest last:
//! a push that fails leaves the tag as it was.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::{Destination, Finished, Naming, Output, Put, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::Codec;
use crate::plan::Plan;
use crate::registry::{Address, Push};

pub(super) const TRANSPORT: Transport = Transport { word: "docker", naming: Naming::None, start };

/// Parses an address as a destination.
///
/// # Errors
/// `bad-argument`, also for a digest: that of a new image is not known before.
pub(super) fn destination(text: &str) -> Result<Destination, Error> {
    let address = Address::parse(text)?;
    if address.digest().is_some() {
        return Err(Error::new("bad-argument", format!("{text}: an image is pushed to a tag, not to a digest"))
            .help("write docker://HOST/NAME:TAG; the report says the digest"));
    }
    let path = PathBuf::new();
    Ok(Destination { text: text.to_owned(), word: TRANSPORT.word, path, reference: None, address: Some(address) })
}

struct Registry<'a> {
    address: Address,
    codec: Codec,
    push: Push<'a>,
    progress: &'a dyn Fn(u64, u64),
    manifest: Option<(String, Vec<u8>)>,
}

fn start<'a>(destination: &Destination, options: &WriteOptions<'a>) -> Result<Box<dyn Output + 'a>, Error> {
    let Some(address) = destination.address().cloned() else {
        return Err(Error::new("internal", "a push without an address"));
    };
    // Connects before anything is packed: a wrong name or login is told at once.
    let push = Push::open(&address, options.access, options.pass.stop)?;
    Ok(Box::new(Registry {
        address,
        codec: options.codec.unwrap_or(Codec::GZIP),
        push,
        progress: options.pass.progress,
        manifest: None,
    }))
}

impl Output for Registry<'_> {
    fn codec(&self) -> Option<Codec> {
        Some(self.codec)
    }

    fn staging(&self) -> PathBuf {
        std::env::temp_dir().join("push")
    }

    fn is_placed_last(&self) -> bool {
        true
    }

    fn prepare(&mut self, _: &Plan, finished: Option<&Finished>, _: &dyn Fn() -> bool) -> Result<Put, Error> {
        let Some(finished) = finished else { return Ok(Put::default()) };
        let image = &finished.image;
        let layer = &image.layer;
        let of_layer = |from: u64| -> io::Result<Box<dyn Read>> {
            let mut file = File::open(&finished.blob)?;
            file.seek(SeekFrom::Start(from))?;
            Ok(Box::new(file))
        };
        let of_config = |from: u64| -> io::Result<Box<dyn Read>> {
            let rest = usize::try_from(from).ok().and_then(|from| image.config.get(from..)).unwrap_or_default();
            Ok(Box::new(io::Cursor::new(rest.to_vec())))
        };
        self.push.blob(&layer.digest.to_string(), layer.size, &of_layer, &|done| (self.progress)(done, layer.size))?;
        let size = image.config.len() as u64;
        self.push.blob(&image.config_digest.to_string(), size, &of_config, &|_| ())?;
        self.manifest = Some((image.descriptor.media_type.clone(), image.manifest.clone()));
        let bytes = layer.size + size + image.manifest.len() as u64;
        Ok(Put { bytes, has_image: true, notes: Vec::new() })
    }

    fn place(&mut self) -> Result<(), Error> {
        let Some((media_type, bytes)) = &self.manifest else { return Ok(()) };
        self.push.manifest(self.address.selector(), media_type, bytes)
    }

    fn take_back(&mut self) -> io::Result<()> {
        Err(io::Error::other("a registry keeps what was pushed"))
    }
}
