//! Combines images for several platforms into one: an index (OCI image specification, image-index.md). Documents and
//! blobs are copied byte for byte.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};

use serde::Serialize;

use super::layout::{Index, OCI_LAYOUT, named};
use super::reference::Name;
use super::tar_file::FileOutput;
use super::{Destination, WriteOptions, oci_dir};
use crate::cleanup;
use crate::digest::Digest;
use crate::error::Error;
use crate::image::{Descriptor, canonical};
use crate::image_reader::{Stock, StoredBlob, StoredImage};
use crate::layer::ArchiveWriter;
use crate::path::show;
use crate::registry::{Address, Push};

/// Media types of an index in both families, and of docker's manifest.
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An image with its store.
pub struct Member<'a> {
    /// The store.
    pub stock: &'a Stock<'a>,
    /// The image.
    pub image: StoredImage,
}

/// A written index.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenIndex {
    /// The destination as the user wrote it.
    pub destination: String,
    /// Digest of the index.
    pub manifest: Digest,
    /// Bytes of its blobs and documents, each once.
    pub bytes: u64,
    /// The images.
    pub images: Vec<IndexedImage>,
}

/// An image of an index.
#[derive(Clone, Debug, Serialize)]
pub struct IndexedImage {
    /// Its platform, such as `linux/arm64`.
    pub platform: String,
    /// Digest of its manifest.
    pub manifest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: u64,
    platform: Machine<'a>,
}

#[derive(Serialize)]
struct Machine<'a> {
    architecture: &'a str,
    os: &'a str,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    os_version: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    variant: &'a str,
}

/// An index with all that it needs.
struct Bundle<'a> {
    members: &'a [Member<'a>],
    /// The index and its media type.
    index: Vec<u8>,
    media_type: &'static str,
}

/// Writes an index of images to a destination.
///
/// # Errors
/// `bad-argument` for two images for one platform and for a destination that cannot contain an index; `bad-image` for a
/// blob whose digest does not match; those of reading and of [`super::write`]. No partial output remains then.
pub fn join(
    members: &[Member<'_>],
    destination: &Destination,
    options: &WriteOptions<'_>,
) -> Result<WrittenIndex, Error> {
    let bundle = Bundle::new(members)?;
    let descriptor = Descriptor::of(bundle.media_type.to_owned(), &bundle.index);
    match destination.word {
        "oci" => {
            let name = Name::new(destination.reference.as_deref());
            let entry = named(&descriptor, name.ref_name(), name.full(false));
            oci_dir::write_bundle(destination, entry, &|blobs| bundle.fill(blobs))?;
        }
        "oci-archive" => bundle.archive(destination, &descriptor, options)?,
        _ => match destination.address() {
            Some(address) => bundle.push(address, options)?,
            None => {
                let says = format!("{} cannot contain images for several platforms", destination.as_str());
                return Err(Error::new("bad-argument", says)
                    .help("use oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker://HOST/NAME[:TAG]"));
            }
        },
    }
    let indexed = |member: &Member<'_>| IndexedImage {
        platform: show(member.image.platform.to_string().as_bytes()).into_owned(),
        manifest: member.image.digest.clone(),
    };
    let documents: u64 = members.iter().map(|member| member.image.manifest.len() as u64).sum();
    let blobs: u64 = bundle.blobs().map(|(_, blob)| blob.size).sum();
    Ok(WrittenIndex {
        destination: destination.as_str().to_owned(),
        manifest: descriptor.digest,
        bytes: blobs + documents + descriptor.size,
        images: members.iter().map(indexed).collect(),
    })
}

impl<'a> Bundle<'a> {
    fn new(members: &'a [Member<'a>]) -> Result<Self, Error> {
        let mut known = BTreeSet::new();
        for Member { image, .. } in members {
            if !known.insert((image.platform.to_string(), image.os_version.clone())) {
                let platform = image.platform.to_string();
                let says = format!("two of the images are for {}", show(platform.as_bytes()));
                return Err(
                    Error::new("bad-argument", says).help("an index has one image for each platform: leave one out")
                );
            }
        }
        let entries = members.iter().map(|Member { image, .. }| Entry {
            media_type: &image.media_type,
            digest: &image.digest,
            size: image.manifest.len() as u64,
            platform: Machine {
                architecture: &image.platform.architecture,
                // Old images do not state their operating system.
                os: if image.platform.os.is_empty() { "linux" } else { &image.platform.os },
                os_version: image.os_version.as_deref(),
                variant: &image.platform.variant,
            },
        });
        let is_docker = members.iter().all(|member| member.image.media_type == DOCKER_MANIFEST);
        let media_type = if is_docker { DOCKER_INDEX } else { OCI_INDEX };
        Ok(Self { members, index: canonical(&Index::of(media_type, entries.collect())), media_type })
    }

    /// All blobs, each once, with a member that has it.
    fn blobs(&self) -> impl Iterator<Item = (&'a Member<'a>, &'a StoredBlob)> {
        let mut seen = BTreeSet::new();
        let all = self.members.iter().flat_map(|member| member.image.blobs.iter().map(move |blob| (member, blob)));
        all.filter(move |(_, blob)| seen.insert(blob.digest.clone()))
    }

    /// Documents with their digests.
    fn documents(&self) -> Vec<(String, &[u8])> {
        let manifests = self.members.iter().map(|one| (one.image.digest.clone(), one.image.manifest.as_slice()));
        manifests.chain([(Digest::of(&self.index).to_string(), self.index.as_slice())]).collect()
    }

    /// Fills the directory of a layout's blobs.
    fn fill(&self, blobs: &std::path::Path) -> Result<(), Error> {
        let place = |digest: &str| blobs.join(digest.trim_start_matches("sha256:"));
        let unwritable = |error| Error::unwritable(&blobs.display(), error);
        for (member, blob) in self.blobs() {
            let mut from = member.stock.blob(blob)?;
            let mut to = File::create_new(place(&blob.digest)).map_err(unwritable)?;
            io::copy(&mut from, &mut to).map_err(|error| inner(error).unwrap_or_else(unwritable))?;
        }
        for (digest, bytes) in self.documents() {
            fs::write(place(&digest), bytes).map_err(unwritable)?;
        }
        Ok(())
    }

    fn archive(
        &self,
        destination: &Destination,
        descriptor: &Descriptor,
        options: &WriteOptions<'_>,
    ) -> Result<(), Error> {
        let mut file = FileOutput::start(destination, options)?;
        let name = Name::new(destination.reference.as_deref());
        let index = canonical(&Index::new(vec![named(descriptor, name.ref_name(), name.full(false))]));
        let failed = RefCell::new(None);
        let write = |out: &mut dyn Write| -> io::Result<()> {
            let mut archive = ArchiveWriter::new(io::BufWriter::new(out), 1);
            archive.file("oci-layout", OCI_LAYOUT.len() as u64, OCI_LAYOUT)?;
            archive.file("index.json", index.len() as u64, index.as_slice())?;
            archive.dir("blobs")?;
            archive.dir("blobs/sha256")?;
            let path = |digest: &str| format!("blobs/sha256/{}", digest.trim_start_matches("sha256:"));
            for (digest, bytes) in self.documents() {
                archive.file(&path(&digest), bytes.len() as u64, bytes)?;
            }
            for (member, blob) in self.blobs() {
                let keep = |error: Error| {
                    *failed.borrow_mut() = Some(error);
                    io::Error::other("a blob cannot be read")
                };
                let from = member.stock.blob(blob).map_err(keep)?;
                let copied = archive.file(&path(&blob.digest), blob.size, from);
                copied.map_err(|error| match inner(error) {
                    Ok(error) => keep(error),
                    Err(error) => error,
                })?;
            }
            archive.finish()?.flush()
        };
        let written = file.write(options.pass.stop, write);
        if let Some(error) = failed.into_inner() {
            return Err(error);
        }
        written?;
        cleanup::begin_placing();
        file.place()
    }

    fn push(&self, address: &Address, options: &WriteOptions<'_>) -> Result<(), Error> {
        let push = Push::open(address, options.access, options.pass.stop)?;
        let all: u64 = self.blobs().map(|(_, blob)| blob.size).sum();
        let mut before = 0;
        for (member, blob) in self.blobs() {
            if let Some(from) = member.stock.address()? {
                options.access.has_blob(&from, &blob.digest);
            }
            let open = |from: u64| -> io::Result<Box<dyn Read + '_>> {
                let mut reader = member.stock.blob(blob).map_err(io::Error::other)?;
                io::copy(&mut reader.by_ref().take(from), &mut io::sink())?;
                Ok(reader)
            };
            push.blob(&blob.digest, blob.size, &open, &|done| (options.pass.progress)(before + done, all))?;
            before += blob.size;
        }
        for Member { image, .. } in self.members {
            push.manifest(&image.digest, &image.media_type, &image.manifest)?;
        }
        cleanup::begin_placing();
        push.manifest(address.selector(), self.media_type, &self.index)
    }
}

/// The slimroot error inside a read error.
fn inner(error: io::Error) -> Result<Error, io::Error> {
    match error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        true => error.downcast::<Error>(),
        false => Err(error),
    }
}
