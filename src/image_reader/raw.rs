//! Stored images, for copying without unpacking: documents byte for byte, and blobs.

use std::io::{self, Read, Write};

use serde::Deserialize;

use super::platform::Platform;
use super::store::{Descriptor, Index, LayerBlob, MAX_OPEN, Store, parsed};
use super::{ReadOptions, Reference, bad_image, remote, shown};
use crate::digest::{Digest, HashingWriter};
use crate::error::Error;
use crate::registry::Address;

/// Maximum number of images in an index.
const MAX_IMAGES: usize = 64;
/// Maximum nesting of indexes.
const MAX_DEPTH: usize = 4;
/// The media type of a manifest that states none.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A store of images.
pub struct Stock<'a> {
    reference: Reference,
    store: Store<'a>,
}

/// A stored image with its documents.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// Media type of the manifest.
    pub media_type: String,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its digest.
    pub digest: String,
    /// The platform.
    pub platform: Platform,
    /// The version of the operating system that the image needs, as Windows has it.
    pub os_version: Option<String>,
    /// The configuration and the layers.
    pub blobs: Vec<StoredBlob>,
}

/// A blob of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its digest.
    pub digest: String,
    /// Its size.
    pub size: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    media_type: Option<String>,
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// Platform fields of a configuration.
#[derive(Deserialize)]
struct Machine {
    #[serde(flatten)]
    platform: Platform,
    #[serde(rename = "os.version", default)]
    os_version: Option<String>,
}

impl<'a> Stock<'a> {
    /// Opens a layout, an archive or a repository.
    ///
    /// # Errors
    /// `image-missing`, `bad-image`, and those of registries.
    pub fn open(reference: &Reference, options: &ReadOptions<'a>) -> Result<Self, Error> {
        Ok(Self { reference: reference.clone(), store: Store::open(reference, options)? })
    }

    /// The address in a registry, if it is one.
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn address(&self) -> Result<Option<Address>, Error> {
        self.reference.address()
    }

    /// All images of the reference: one, or those of an index, without attestations.
    ///
    /// # Errors
    /// `image-missing`, `bad-image`, `unreadable`, and those of registries.
    pub fn images(&self) -> Result<Vec<StoredImage>, Error> {
        let mut found = Vec::new();
        if let Store::Registry(pull, selector) = &self.store {
            let (bytes, media_type) = pull.manifest(selector)?;
            match remote::is_index(&media_type) {
                true => self.walk(parsed(&self.reference, "an index", &bytes)?, 0, &mut found)?,
                false => found.push(self.image(bytes, &media_type)?),
            }
        } else if self.store.has_index() {
            self.walk(self.store.named(&self.reference)?, 0, &mut found)?;
        } else {
            let says = "an archive of docker save has no manifest, which an index could name";
            return Err(bad_image(&self.reference, says).help("copy it with skopeo copy docker-archive:FILE oci:DIR"));
        }
        match found.is_empty() {
            true => Err(bad_image(&self.reference, "its index names no image")),
            false => Ok(found),
        }
    }

    fn walk(&self, index: Index, depth: usize, found: &mut Vec<StoredImage>) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(bad_image(&self.reference, "its indexes refer to each other"));
        }
        for entry in index.manifests {
            if entry.platform.as_ref().is_some_and(Platform::is_unknown) {
                continue;
            }
            if found.len() == MAX_IMAGES {
                return Err(bad_image(&self.reference, format!("it has more than {MAX_IMAGES} images")));
            }
            let (bytes, media_type) = match &self.store {
                Store::Registry(pull, _) => pull.manifest(&entry.digest)?,
                store => (store.described(&self.reference, &entry)?, entry.media_type.clone()),
            };
            match remote::is_index(&media_type) {
                true => self.walk(parsed(&self.reference, "an index", &bytes)?, depth + 1, found)?,
                false => found.push(self.image(bytes, &media_type)?),
            }
        }
        Ok(())
    }

    fn image(&self, bytes: Vec<u8>, media_type: &str) -> Result<StoredImage, Error> {
        let manifest: Manifest = parsed(&self.reference, "its manifest", &bytes)?;
        let stated = Some(media_type).filter(|text| !text.is_empty()).map(str::to_owned);
        let config = self.store.described(&self.reference, &manifest.config)?;
        let Machine { platform, os_version } = parsed(&self.reference, "its configuration", &config)?;
        let blob = |descriptor: &Descriptor| match descriptor.size {
            Some(size) => Ok(StoredBlob { digest: descriptor.digest.clone(), size }),
            None => Err(bad_image(&self.reference, "its manifest names a blob without a size")),
        };
        let blobs = [&manifest.config].into_iter().chain(&manifest.layers).map(blob).collect::<Result<_, _>>()?;
        let media_type = stated.or(manifest.media_type).unwrap_or_else(|| MANIFEST.to_owned());
        let digest = Digest::of(&bytes).to_string();
        Ok(StoredImage { media_type, manifest: bytes, digest, platform, os_version, blobs })
    }

    /// Opens a blob. The end of reading is an error if the digest does not match.
    ///
    /// # Errors
    /// `bad-image`, `unreadable`, and those of registries.
    pub fn blob(&self, blob: &StoredBlob) -> Result<Box<dyn Read + '_>, Error> {
        let name = super::store::blob_name(&self.reference, &blob.digest)?;
        let layer = LayerBlob { name, digest: Some(blob.digest.clone()), size: blob.size };
        let inner = self.store.layer(&layer, MAX_OPEN)?.bytes.take(blob.size.saturating_add(1));
        let hasher = Some(HashingWriter::new(io::sink()));
        Ok(Box::new(Checked { inner, blob: blob.clone(), reference: self.reference.clone(), hasher }))
    }
}

/// Verifies the digest of a blob at its end.
struct Checked<R> {
    inner: R,
    blob: StoredBlob,
    reference: Reference,
    hasher: Option<HashingWriter<io::Sink>>,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            if let Some(hasher) = &mut self.hasher {
                hasher.write_all(&buffer[..read])?;
            }
            return Ok(read);
        }
        if let Some(hasher) = self.hasher.take() {
            let (_, digest, size) = hasher.finish();
            if digest.to_string() != self.blob.digest || size != self.blob.size {
                let says = format!("{} is not that of its bytes", shown(&self.blob.digest));
                return Err(io::Error::other(bad_image(&self.reference, says)));
            }
        }
        Ok(0)
    }
}
