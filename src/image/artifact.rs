//! Documents that refer to an image: referrers (OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage")
//! and in-toto statements (in-toto attestation framework, spec/v1/statement.md).

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use serde::Serialize;

use super::{Descriptor, canonical};
use crate::digest::Digest;

/// The media type of a statement.
const STATEMENT: &str = "application/vnd.in-toto+json";
/// The version of statements.
const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";
/// The annotation by which tools find statements of a kind without reading them (moby/buildkit,
/// docs/attestations/attestation-storage.md).
const PREDICATE: &str = "in-toto.io/predicate-type";
/// The empty configuration of an artifact, and its media type.
const EMPTY: &[u8] = b"{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// A document to attach to images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The name of the image in a statement.
    pub name: String,
    /// The media type of the document.
    pub media_type: String,
    /// The type of the predicate, if the document is wrapped in a statement about the image.
    pub predicate: Option<String>,
    /// The document; JSON if it is wrapped in a statement.
    pub document: Vec<u8>,
}

#[derive(Serialize)]
struct Subject<'a> {
    name: &'a str,
    digest: BTreeMap<&'static str, &'a str>,
}

/// A statement with a predicate, which must be JSON. `subject` is a name with a SHA-256 in hexadecimal; without one,
/// the carrier of the statement adds the subject.
pub(crate) fn statement(predicate_type: &str, subject: Option<(&str, &str)>, predicate: &[u8]) -> Vec<u8> {
    let one = |(name, hex)| canonical(&Subject { name, digest: BTreeMap::from([("sha256", hex)]) });
    let subject = subject.map(one).unwrap_or_default();
    let parts: [&[u8]; 9] = [
        b"{\"_type\":",
        &canonical(&STATEMENT_V1),
        b",\"subject\":[",
        &subject,
        b"],\"predicateType\":",
        &canonical(&predicate_type),
        b",\"predicate\":",
        predicate,
        b"}\n",
    ];
    parts.concat()
}

/// A blob of an artifact.
pub(crate) struct Part {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// The manifest of a document that refers to an image, with its blobs.
pub(crate) struct Artifact {
    pub(crate) manifest: Vec<u8>,
    pub(crate) descriptor: Descriptor,
    pub(crate) parts: [Part; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: String,
    artifact_type: String,
    config: Descriptor,
    layers: [Descriptor; 1],
    subject: Descriptor,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

impl Artifact {
    /// The artifact of a document for the image with this descriptor.
    pub(crate) fn of(attached: &Attachment, image: &Descriptor) -> Self {
        let (media_type, bytes) = match &attached.predicate {
            Some(kind) => {
                let hex = image.digest.hex();
                (STATEMENT.to_owned(), statement(kind, Some((&attached.name, &hex)), &attached.document))
            }
            None => (attached.media_type.clone(), attached.document.clone()),
        };
        let annotations: BTreeMap<String, String> =
            attached.predicate.iter().map(|kind| (PREDICATE.to_owned(), kind.clone())).collect();
        let config = Descriptor::of(EMPTY_TYPE.to_owned(), EMPTY);
        let layer = Descriptor { annotations: annotations.clone(), ..Descriptor::of(media_type.clone(), &bytes) };
        let parts = [Part { digest: config.digest, bytes: EMPTY.to_vec() }, Part { digest: layer.digest, bytes }];
        let manifest = canonical(&Manifest {
            schema_version: 2,
            media_type: MediaType::ImageManifest.to_string(),
            artifact_type: media_type.clone(),
            config,
            layers: [layer],
            subject: Descriptor { annotations: BTreeMap::new(), ..image.clone() },
            annotations: annotations.clone(),
        });
        let described = Descriptor::of(MediaType::ImageManifest.to_string(), &manifest);
        let descriptor = Descriptor { artifact_type: Some(media_type), annotations, ..described };
        Self { manifest, descriptor, parts }
    }

    /// Bytes of the manifest and the blobs.
    pub(crate) fn size(&self) -> u64 {
        (self.manifest.len() + self.parts.iter().map(|part| part.bytes.len()).sum::<usize>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_configuration_is_that_of_the_specification() {
        // "Guidance for an Empty Descriptor" in manifest.md.
        let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(Digest::of(EMPTY).to_string(), digest);
    }

    #[test]
    fn a_statement_is_json_whatever_the_name() {
        let made = statement("https://x.example/t", Some(("a\"\\\u{1b}", "00")), b"{\"a\": [1]}");
        let read: serde_json::Value = serde_json::from_slice(&made).unwrap_or_default();
        assert_eq!(read["subject"][0]["name"], "a\"\\\u{1b}");
        assert_eq!(read["predicate"]["a"][0], 1);
    }
}
