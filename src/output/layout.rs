//! An OCI image layout: the documents that directories and archives have in common (image-layout.md).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};

use oci_spec::image::MediaType;
use serde::Serialize;

use super::Finished;
use crate::image::{Descriptor, canonical};
use crate::layer::ArchiveWriter;

/// Contents of the file `oci-layout`.
pub(super) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The annotation by which tools select an image of a layout.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation from which containerd and podman take the full name.
const FULL_NAME: &str = "io.containerd.image.name";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index<M> {
    schema_version: u32,
    media_type: String,
    manifests: Vec<M>,
}

impl<M> Index<M> {
    pub(super) fn new(manifests: Vec<M>) -> Self {
        Self { schema_version: 2, media_type: MediaType::ImageIndex.to_string(), manifests }
    }
}

/// `manifest.json` of a docker archive.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The index entry of an image.
pub(super) fn entry(finished: &Finished, ref_name: &str, full: Option<&str>) -> Descriptor {
    let mut annotations = BTreeMap::from([(REF_NAME.to_owned(), ref_name.to_owned())]);
    annotations.extend(full.map(|full| (FULL_NAME.to_owned(), full.to_owned())));
    Descriptor { annotations, ..finished.image.descriptor.clone() }
}

/// Writes an archive that all tools can read: an OCI layout with docker's `manifest.json`, which refers to the same
/// blobs.
pub(super) fn write_archive(
    out: &mut dyn Write,
    finished: &Finished,
    ref_name: &str,
    full: Option<String>,
    epoch: u64,
) -> io::Result<()> {
    let image = &finished.image;
    let blob = |digest: &crate::digest::Digest| format!("blobs/sha256/{}", digest.hex());
    let index = canonical(&Index::new(vec![entry(finished, ref_name, full.as_deref())]));
    let docker = canonical(&[DockerManifest {
        config: blob(&image.config_digest),
        repo_tags: full.map(|full| vec![full]),
        layers: vec![blob(&image.layer.digest)],
    }]);
    let mut archive = ArchiveWriter::new(io::BufWriter::new(out), epoch);
    for (name, bytes) in [("oci-layout", OCI_LAYOUT), ("index.json", &index), ("manifest.json", &docker)] {
        archive.file(name, bytes.len() as u64, bytes)?;
    }
    archive.dir("blobs")?;
    archive.dir("blobs/sha256")?;
    let mut blobs: Vec<(String, u64, Box<dyn Read>)> = vec![
        (blob(&image.config_digest), image.config.len() as u64, Box::new(image.config.as_slice())),
        (blob(&image.descriptor.digest), image.manifest.len() as u64, Box::new(image.manifest.as_slice())),
        (blob(&image.layer.digest), image.layer.size, Box::new(File::open(&finished.blob)?)),
    ];
    blobs.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, size, content) in blobs {
        archive.file(&name, size, content)?;
    }
    archive.finish()?.flush()
}
