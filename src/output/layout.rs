//! An OCI image layout: the documents that directories and archives have in common (image-layout.md).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};

use oci_spec::image::MediaType;
use serde::Serialize;

use super::Finished;
use super::reference::Name;
use crate::image::{Descriptor, Image, canonical};
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
        Self::of(MediaType::ImageIndex.as_ref(), manifests)
    }

    pub(super) fn of(media_type: &str, manifests: Vec<M>) -> Self {
        Self { schema_version: 2, media_type: media_type.to_owned(), manifests }
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
pub(super) fn entry(image: &Image, ref_name: String, full: Option<String>) -> Descriptor {
    named(&image.descriptor, ref_name, full)
}

/// A descriptor with the names by which tools select it in a layout.
pub(super) fn named(described: &Descriptor, ref_name: String, full: Option<String>) -> Descriptor {
    let mut annotations = BTreeMap::from([(REF_NAME.to_owned(), ref_name)]);
    annotations.extend(full.map(|full| (FULL_NAME.to_owned(), full)));
    Descriptor { annotations, ..described.clone() }
}

/// Writes an archive that all tools can read: an OCI layout with docker's `manifest.json`, which refers to the same
/// blobs.
pub(super) fn write_archive(
    out: &mut dyn Write,
    finished: &Finished,
    reference: Option<&str>,
    is_always_name: bool,
    epoch: u64,
) -> io::Result<()> {
    let blob = |digest: &crate::digest::Digest| format!("blobs/sha256/{}", digest.hex());
    let (mut entries, mut manifests) = (Vec::new(), Vec::new());
    for (suffix, image) in finished.images() {
        let name = Name::new(reference).suffixed(suffix);
        let full = name.full(is_always_name);
        entries.push(entry(image, name.ref_name(), full.clone()));
        manifests.push(DockerManifest {
            config: blob(&image.config_digest),
            repo_tags: full.map(|full| vec![full]),
            layers: image.layers.iter().map(|layer| blob(&layer.digest)).collect(),
        });
    }
    let (index, docker) = (canonical(&Index::new(entries)), canonical(&manifests));
    let mut archive = ArchiveWriter::new(io::BufWriter::new(out), epoch);
    for (name, bytes) in [("oci-layout", OCI_LAYOUT), ("index.json", &index), ("manifest.json", &docker)] {
        archive.file(name, bytes.len() as u64, bytes)?;
    }
    archive.dir("blobs")?;
    archive.dir("blobs/sha256")?;
    let mut blobs: Vec<(String, u64, Box<dyn Read + '_>)> = Vec::new();
    for (_, image) in finished.images() {
        let documents = [(image.config_digest, &image.config), (image.descriptor.digest, &image.manifest)];
        for (digest, bytes) in documents {
            blobs.push((blob(&digest), bytes.len() as u64, Box::new(bytes.as_slice())));
        }
    }
    for (layer, file) in finished.layers() {
        blobs.push((blob(&layer.digest), layer.size, Box::new(File::open(file)?)));
    }
    blobs.sort_by(|a, b| a.0.cmp(&b.0));
    blobs.dedup_by(|a, b| a.0 == b.0);
    for (name, size, content) in blobs {
        archive.file(&name, size, content)?;
    }
    archive.finish()?.flush()
}
