//! The image: a configuration and a manifest for its layers, according to the OCI image specification.
//!
//! We serialise our own types, because all fields and maps must have a fixed order. `oci-spec` supplies the media types
//! and parses documents of other tools.

mod artifact;
mod config;

pub(crate) use artifact::Artifact;
pub use artifact::Attachment;
#[cfg(feature = "cli")]
pub(crate) use artifact::statement;
pub(crate) use config::timestamp;

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde::Serialize;

use crate::digest::Digest;
use crate::layer::Layer;
use crate::plan::{ImageFormat, Plan};

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
    /// The kind of a document that refers to an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Its annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The descriptor of these bytes.
    pub(crate) fn of(media_type: String, bytes: &[u8]) -> Self {
        let (digest, size) = (Digest::of(bytes), bytes.len() as u64);
        Self { media_type, digest, size, artifact_type: None, annotations: BTreeMap::new() }
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

/// An image: two documents, and the layers to which they refer.
#[derive(Clone, Debug)]
pub struct Image {
    /// The configuration, as stored.
    pub config: Vec<u8>,
    /// The manifest, as stored.
    pub manifest: Vec<u8>,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
    /// The descriptor of the manifest.
    pub descriptor: Descriptor,
    /// Digest of the configuration, which docker uses as the image ID.
    pub config_digest: Digest,
}

impl Image {
    /// Builds the image of a plan whose layers have been written.
    pub fn build(plan: &Plan, layers: Vec<Layer>) -> Self {
        let config = canonical(&config::Config::build(plan, &layers));
        let format = plan.run.details.format;
        let described = Descriptor::of(media_type(format, MediaType::ImageConfig), &config);
        let config_digest = described.digest;
        let manifest = canonical(&Manifest {
            schema_version: 2,
            media_type: media_type(format, MediaType::ImageManifest),
            config: described,
            layers: layers.iter().map(|layer| described_layer(format, layer)).collect(),
            annotations: annotations(plan),
        });
        let descriptor = Descriptor::of(media_type(format, MediaType::ImageManifest), &manifest);
        Self { config, manifest, layers, descriptor, config_digest }
    }

    /// Bytes of the layers and documents as stored.
    pub fn bytes(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(|layer| layer.size).sum();
        layers + (self.config.len() + self.manifest.len()) as u64
    }
}

fn described_layer(format: ImageFormat, layer: &Layer) -> Descriptor {
    let media_type = media_type(format, layer.codec.media_type());
    Descriptor { media_type, digest: layer.digest, size: layer.size, artifact_type: None, annotations: BTreeMap::new() }
}

/// The media type in a format. Docker's are those of its image manifest, version 2, schema 2, and zstd as BuildKit writes
/// it.
fn media_type(format: ImageFormat, kind: MediaType) -> String {
    let docker = match kind {
        MediaType::ImageManifest => "application/vnd.docker.distribution.manifest.v2+json",
        MediaType::ImageConfig => "application/vnd.docker.container.image.v1+json",
        MediaType::ImageLayer => "application/vnd.docker.image.rootfs.diff.tar",
        MediaType::ImageLayerGzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        MediaType::ImageLayerZstd => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        _ => return kind.to_string(),
    };
    if format == ImageFormat::Docker { docker.to_owned() } else { kind.to_string() }
}

/// Annotations of the manifest; docker's has none.
fn annotations(plan: &Plan) -> BTreeMap<String, String> {
    let details = &plan.run.details;
    match details.format {
        ImageFormat::Docker => BTreeMap::new(),
        ImageFormat::Oci => plan.run.labels.clone().into_iter().chain(details.annotations.clone()).collect(),
    }
}

/// Canonical JSON: fields in declaration order, sorted maps, no blanks, no trailing newline.
pub(crate) fn canonical(value: &impl Serialize) -> Vec<u8> {
    // Our types contain only strings, numbers and maps with string keys, so serialisation cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}
