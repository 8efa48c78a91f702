//! The image: a configuration and a manifest for a layer, according to the OCI image specification.
//!
//! We serialise our own types, because all fields and maps must have a fixed order. `oci-spec` supplies the media types
//! and parses documents of other tools.

mod config;

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde::Serialize;

use crate::digest::Digest;
use crate::layer::Layer;
use crate::plan::Plan;

/// A blob that another document refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its annotations.
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

/// An image: two documents, and the layer to which they refer.
#[derive(Clone, Debug)]
pub struct Image {
    /// The configuration, as stored.
    pub config: Vec<u8>,
    /// The manifest, as stored.
    pub manifest: Vec<u8>,
    /// The layer.
    pub layer: Layer,
    /// The descriptor of the manifest.
    pub descriptor: Descriptor,
    /// Digest of the configuration, which docker uses as the image ID.
    pub config_digest: Digest,
}

impl Image {
    /// Builds the image of a plan whose layer has been written.
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

/// Canonical JSON: fields in declaration order, sorted maps, no blanks, no trailing newline.
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    // Our types contain only strings, numbers and maps with string keys, so serialisation cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}
