//! The layers of a stored image, without their contents, to find out which a push would not send again.

use super::store::Store;
use super::{ReadOptions, Reference, run_config};
use crate::error::Error;

/// A layer of a stored image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLayer {
    /// Digest of its bytes as stored; `None` in an archive of docker, which has none.
    pub digest: Option<String>,
    /// Digest of its tar stream according to the configuration.
    pub diff_id: Option<String>,
}

/// The layers of an image, the lowest first.
///
/// # Errors
/// `image-missing`, `bad-image`, `unreadable`; from a registry also its codes.
pub fn stored(reference: &Reference, options: &ReadOptions<'_>) -> Result<Vec<StoredLayer>, Error> {
    let store = Store::open(reference, options)?;
    let found = store.image(reference, options.platform)?;
    let diff_ids = run_config(reference, &found.config)?.diff_ids;
    let layer = |(number, blob): (usize, &super::store::LayerBlob)| StoredLayer {
        digest: blob.digest.clone(),
        diff_id: diff_ids.get(number).cloned(),
    };
    Ok(found.layers.iter().enumerate().map(layer).collect())
}
