//! The image: configuration and manifest over a layer, as the OCI image specification has them.
//!
//! Our own types are serialised, because every field and map must come out in one order; `oci-spec` gives the names of
//! the media types, and reads what others wrote.

mod config;

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde::Serialize;

use crate::digest::Digest;
use crate::layer::Layer;
use crate::plan::Plan;

/// A blob that another document names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Notes on it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn of(media_type: &MediaType, bytes: &[u8]) -> Self {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        Self { media_type: media_type.to_string(), digest, size, annotations: BTreeMap::new() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// An image: two documents, and the layer that they name.
#[derive(Clone, Debug)]
pub struct Image {
    /// The configuration, as stored.
    pub config: Vec<u8>,
    /// The manifest, as stored.
    pub manifest: Vec<u8>,
    /// The layer.
    pub layer: Layer,
    /// Names the manifest.
    pub descriptor: Descriptor,
    /// Digest of the configuration, which docker calls the image's ID.
    pub config_digest: Digest,
}

impl Image {
    /// The image of a plan whose layer was written.
    pub fn build(plan: &Plan, layer: &Layer) -> Self {
        let config = canonical(&config::Config::build(plan, layer));
        let described = Descriptor::of(&MediaType::ImageConfig, &config);
        let config_digest = described.digest;
        let manifest = canonical(&Manifest {
            schema_version: 2,
            media_type: MediaType::ImageManifest.to_string(),
            config: described,
            layers: vec![Descriptor {
                media_type: layer.codec.media_type().to_string(),
                digest: layer.digest,
                size: layer.size,
                annotations: BTreeMap::new(),
            }],
            annotations: plan.run.labels.clone(),
        });
        let descriptor = Descriptor::of(&MediaType::ImageManifest, &manifest);
        Self { config, manifest, layer: layer.clone(), descriptor, config_digest }
    }
}

/// The one JSON form: fields in the order of their type, maps sorted, no blanks, no newline at the end.
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    // Our types hold only strings, numbers and maps with string keys: serde_json cannot fail on them.
    serde_json::to_vec(value).unwrap_or_default()
}
