//! Layers that a push sends again, compared with an earlier image.

use serde::Serialize;

use super::{PackRequest, Watch};
use crate::error::Error;
use crate::image_reader::{ReadOptions, Reference, StoredLayer, TRANSPORTS, stored};
use crate::layer::Layer;
use crate::output::Written;
use crate::path::show;

/// An image of before, as `--since` names it.
pub(super) struct Before {
    name: String,
    /// None if there is no such image yet.
    layers: Option<Vec<StoredLayer>>,
}

/// Bytes that a push to a repository with an earlier image sends, besides the configuration and the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Resent {
    /// The image of before.
    pub image: String,
    /// The destination of the new image.
    pub destination: String,
    /// False if there is no image of before.
    pub is_there: bool,
    /// Number of layers that are sent.
    pub sent_layers: usize,
    /// Their bytes as stored.
    pub sent_bytes: u64,
    /// Number of layers that are there already.
    pub kept_layers: usize,
    /// Their bytes as stored.
    pub kept_bytes: u64,
}

impl Before {
    /// Looks at the image of before, which the new one may replace.
    ///
    /// # Errors
    /// `bad-argument` if it is no image, `bad-image`, and errors of registries. An image that does not exist is none.
    pub(super) fn read(request: &PackRequest, watch: &Watch<'_>) -> Result<Option<Self>, Error> {
        let Some(name) = &request.since else { return Ok(None) };
        let Some(reference) = Reference::parse(name) else {
            let known: Vec<String> = TRANSPORTS.iter().map(|word| format!("{word}:")).collect();
            return Err(Error::new("bad-argument", format!("--since {} is not an image", show(name.as_bytes())))
                .help(format!("write {} before its path or name", known.join(", "))));
        };
        let options = ReadOptions {
            progress: &|_, _| (),
            stop: watch.stop,
            access: &request.access,
            platform: request.platform.as_ref(),
        };
        let layers = match stored(&reference, &options) {
            Ok(layers) => Some(layers),
            Err(error) if error.code == "image-missing" => None,
            Err(error) => return Err(error),
        };
        // Another repository of its registry can mount what it has.
        if let Some(place) = reference.address()? {
            let known = layers.iter().flatten().filter_map(|layer| layer.digest.as_deref());
            known.for_each(|digest| request.access.has_blob(&place, digest));
        }
        Ok(Some(Self { name: name.clone(), layers }))
    }

    /// Counts the layers of a written image that the earlier image has; `None` if it has no layers.
    pub(super) fn resent(&self, written: &Written) -> Option<Resent> {
        let mut resent = Resent {
            image: self.name.clone(),
            destination: written.destination.clone(),
            is_there: self.layers.is_some(),
            sent_layers: 0,
            sent_bytes: 0,
            kept_layers: 0,
            kept_bytes: 0,
        };
        for layer in written.manifest.is_some().then(|| written.layer.iter().chain(&written.layers))? {
            if self.has(layer) {
                resent.kept_layers += 1;
                resent.kept_bytes += layer.size;
            } else {
                resent.sent_layers += 1;
                resent.sent_bytes += layer.size;
            }
        }
        Some(resent)
    }

    fn has(&self, layer: &Layer) -> bool {
        let is_it = |known: &StoredLayer| match &known.digest {
            Some(digest) => *digest == layer.digest.to_string(),
            // Without a digest of the stored bytes, the tar stream is what can be compared.
            None => known.diff_id.as_ref() == Some(&layer.diff_id.to_string()),
        };
        self.layers.iter().flatten().any(is_it)
    }
}
