//! `oci:DIR[:TAG]`: an OCI image layout. An existing layout gets the image added under its tag, the others stay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::aside::{Aside, exists};
use super::layout::{Index, Name, OCI_LAYOUT, entry};
use super::{Destination, Finished, Output, Put, Transport, WriteOptions};
use crate::error::Error;
use crate::image::canonical;
use crate::layer::Codec;
use crate::plan::Plan;

pub(super) const TRANSPORT: Transport = Transport { word: "oci", has_reference: true, start };

struct OciDir {
    path: PathBuf,
    codec: Codec,
    reference: Option<String>,
    /// Whether a layout is there already.
    adds: bool,
}

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    let path = destination.path.clone();
    let adds = path.join("oci-layout").is_file();
    if !adds && fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) || path.is_file() {
        return Err(
            exists(&path).help("an existing directory must be an OCI layout, to which the image is added, or empty")
        );
    }
    let codec = options.codec.unwrap_or(Codec::GZIP);
    Ok(Box::new(OciDir { path, codec, reference: destination.reference.clone(), adds }))
}

impl Output for OciDir {
    fn codec(&self) -> Option<Codec> {
        Some(self.codec)
    }

    fn staging(&self) -> PathBuf {
        if self.adds { self.path.join("layer") } else { self.path.clone() }
    }

    fn finish(self: Box<Self>, _: &Plan, finished: Option<&Finished>) -> Result<Put, Error> {
        let Some(finished) = finished else { return Ok(Put::default()) };
        let unwritable = |error| Error::unwritable(&self.path.display(), error);
        let name = Name::new(self.reference.as_deref());
        let described = entry(finished, name.ref_name(), name.full(false).as_deref());
        if self.adds {
            put_blobs(&self.path, finished).map_err(unwritable)?;
            let index = add_to_index(&self.path, &described)?;
            let aside = Aside::file(&self.path.join("index.json"), "json")?;
            fs::write(aside.path(), index).map_err(unwritable)?;
            aside.place(&self.path.join("index.json"))?;
        } else {
            let aside = Aside::dir(&self.path)?;
            let fill = || -> io::Result<()> {
                fs::write(aside.path().join("oci-layout"), OCI_LAYOUT)?;
                put_blobs(aside.path(), finished)?;
                fs::write(aside.path().join("index.json"), canonical(&Index::new(vec![described.clone()])))?;
                set_mode(aside.path(), 0o755)
            };
            fill().map_err(unwritable)?;
            aside.place(&self.path)?;
        }
        let image = &finished.image;
        let bytes = image.layer.size + (image.config.len() + image.manifest.len()) as u64;
        Ok(Put { bytes, has_image: true, notes: Vec::new() })
    }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Puts the three blobs where their digests say; a blob that is there already is the same one.
fn put_blobs(layout: &Path, finished: &Finished) -> io::Result<()> {
    let dir = layout.join("blobs/sha256");
    fs::create_dir_all(&dir)?;
    let image = &finished.image;
    for (digest, bytes) in [(&image.config_digest, &image.config), (&image.descriptor.digest, &image.manifest)] {
        let aside = dir.join(format!(".{}.slimroot", digest.hex()));
        fs::write(&aside, bytes)?;
        fs::rename(&aside, dir.join(digest.hex()))?;
    }
    let layer = dir.join(image.layer.digest.hex());
    // The staged blob may serve further outputs: it is linked, and copied where that is not possible.
    match fs::hard_link(&finished.blob, &layer) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::copy(&finished.blob, &layer).map(|_| ()),
        _ => Ok(()),
    }
}

/// The index of an existing layout with this image under its tag; entries of other tags stay as they are.
fn add_to_index(layout: &Path, described: &crate::image::Descriptor) -> Result<Vec<u8>, Error> {
    let path = layout.join("index.json");
    let text = fs::read(&path).map_err(|error| Error::unreadable(&path.display(), error))?;
    let damaged = |error: &dyn std::fmt::Display| {
        Error::new("output-exists", format!("{} is no index of an OCI layout: {error}", path.display()))
            .help("name another directory")
    };
    // oci-spec judges whether it is an index; the entries are kept as they were written, unknown fields and all.
    oci_spec::image::ImageIndex::from_reader(text.as_slice()).map_err(|error| damaged(&error))?;
    let index: serde_json::Value = serde_json::from_slice(&text).map_err(|error| damaged(&error))?;
    let tag_of = |entry: &serde_json::Value| {
        entry.get("annotations").and_then(|notes| notes.get("org.opencontainers.image.ref.name")).cloned()
    };
    let added = serde_json::to_value(described).map_err(|error| damaged(&error))?;
    let known = index.get("manifests").and_then(|entries| entries.as_array()).cloned().unwrap_or_default();
    let mut entries: Vec<_> = known.into_iter().filter(|entry| tag_of(entry) != tag_of(&added)).collect();
    entries.push(added);
    Ok(canonical(&Index::new(entries)))
}
