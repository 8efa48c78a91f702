//! `docker://HOST/NAME[:TAG]`: an image in a registry. Blobs are sent while the output is completed, the manifest last:
//! a push that fails leaves the tag as it was.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::{Destination, Finished, Naming, Output, Prepared, Transport, WriteOptions};
use crate::digest::Digest;
use crate::error::Error;
use crate::image::Artifact;
use crate::layer::Codec;
use crate::plan::Plan;
use crate::registry::{Address, Push};

pub(super) const TRANSPORT: Transport = Transport { word: "docker", naming: Naming::None, start };

/// Parses an address as a destination.
///
/// # Errors
/// `bad-argument`, also for a digest, because that of a new image is not known in advance.
pub(super) fn destination(text: &str) -> Result<Destination, Error> {
    let address = Address::parse(text)?;
    if address.digest().is_some() {
        return Err(Error::new("bad-argument", format!("{text}: an image is pushed to a tag, not to a digest"))
            .help("write docker://HOST/NAME:TAG; the report shows the digest"));
    }
    let path = PathBuf::new();
    Ok(Destination { text: text.to_owned(), word: TRANSPORT.word, path, reference: None, address: Some(address) })
}

struct Registry<'a> {
    address: Address,
    codec: Codec,
    push: Push<'a>,
    progress: &'a dyn Fn(u64, u64),
    /// Manifests with their tags, that of the destination last.
    manifests: Vec<(String, String, Vec<u8>)>,
    /// Documents that refer to the image: each with its manifest, and the descriptor of that.
    referrers: Vec<(Vec<u8>, serde_json::Value)>,
}

fn start<'a>(destination: &Destination, options: &WriteOptions<'a>) -> Result<Box<dyn Output + 'a>, Error> {
    let Some(address) = destination.address().cloned() else {
        return Err(Error::new("internal", "a push without an address"));
    };
    // Connect before anything is packed, so that a wrong name or login is reported immediately.
    let push = Push::open(&address, options.access, options.pass.stop)?;
    Ok(Box::new(Registry {
        address,
        codec: options.codec.unwrap_or(Codec::GZIP),
        push,
        progress: options.pass.progress,
        manifests: Vec::new(),
        referrers: Vec::new(),
    }))
}

impl Registry<'_> {
    /// Pushes a blob in memory.
    fn small(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let open = |from: u64| -> io::Result<Box<dyn Read>> {
            let rest = usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default();
            Ok(Box::new(io::Cursor::new(rest.to_vec())))
        };
        self.push.blob(&digest.to_string(), bytes.len() as u64, &open, &|_| ())
    }
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

    fn prepare(&mut self, _: &Plan, finished: Option<&Finished>, _: &dyn Fn() -> bool) -> Result<Prepared, Error> {
        let Some(finished) = finished else { return Ok(Prepared::default()) };
        let all = finished.layers().map(|(layer, _)| layer.size).sum();
        let mut before = 0;
        for (layer, blob) in finished.layers() {
            let of_layer = |from: u64| -> io::Result<Box<dyn Read>> {
                let mut file = File::open(blob)?;
                file.seek(SeekFrom::Start(from))?;
                Ok(Box::new(file))
            };
            let digest = layer.digest.to_string();
            self.push.blob(&digest, layer.size, &of_layer, &|done| (self.progress)(before + done, all))?;
            before += layer.size;
        }
        for (suffix, image) in finished.images() {
            self.small(&image.config_digest, &image.config)?;
            let tag = format!("{}{suffix}", self.address.selector());
            self.manifests.push((tag, image.descriptor.media_type.clone(), image.manifest.clone()));
        }
        self.manifests.reverse();
        for artifact in &finished.artifacts {
            artifact.parts.iter().try_for_each(|part| self.small(&part.digest, &part.bytes))?;
            // A descriptor contains only strings, numbers and a map with string keys, so this cannot fail.
            let described = serde_json::to_value(&artifact.descriptor).unwrap_or_default();
            self.referrers.push((artifact.manifest.clone(), described));
        }
        let twin = finished.twin.as_ref().map(|(suffix, _)| format!("{}{suffix}", self.address.selector()));
        let attached: u64 = finished.artifacts.iter().map(Artifact::size).sum();
        Ok(Prepared { bytes: finished.bytes() + attached, has_image: true, twin, notes: Vec::new() })
    }

    fn place(&mut self) -> Result<(), Error> {
        if let Some((_, media_type, bytes)) = self.manifests.last().filter(|_| !self.referrers.is_empty()) {
            // Update the tag last, when everything that refers to its image is in the registry.
            let digest = Digest::of(bytes).to_string();
            self.push.manifest(&digest, media_type, bytes)?;
            let mut referrers = self.referrers.iter();
            referrers.try_for_each(|(manifest, described)| self.push.referrer(manifest, described, &digest))?;
        }
        self.manifests.iter().try_for_each(|(tag, media_type, bytes)| self.push.manifest(tag, media_type, bytes))
    }

    fn take_back(&mut self) -> io::Result<()> {
        Err(io::Error::other("a registry keeps what was pushed"))
    }
}
