//! Access to the documents and blobs of an image: an OCI layout as a directory or tar archive (image-layout.md), or
//! docker's archive with its `manifest.json`.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use rustix::fs::OFlags;
use serde::Deserialize;

use super::in_place::Origin;
use super::platform::{Platform, chosen};
use super::tar::{Input, TarReader};
use super::{ReadOptions, Reference, bad_archive, bad_image, place_of, refuse_many_values, remote, shown, too_large};
use crate::digest::Digest;
use crate::engine::Engine;
use crate::error::Error;
use crate::path::RootPath;
use crate::registry::{PREFIX, Pull};
use crate::root::{DirTree, Source, Tree};

/// Maximum size of a document.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Maximum nesting of indexes.
const MAX_DEPTH: usize = 4;
/// Maximum number of entries in an archive.
const MAX_ENTRIES: usize = 1 << 16;
/// Maximum number of layers. Engines mount no more than 128 or 500.
const MAX_LAYERS: usize = 1000;
/// Maximum size of all names in an archive.
const MAX_NAME_BYTES: usize = 16 << 20;
/// Maximum number of layers of a layout that stay open.
pub(super) const MAX_OPEN: usize = 64;
/// Maximum number of names in a message.
const MAX_NAMES: usize = 10;

/// The files of an image. They are untrusted: symlinks are not followed, and only regular files are read.
pub(super) enum Store<'a> {
    Dir(DirTree),
    /// Offset and size in the archive, by name.
    Archive(Arc<File>, HashMap<String, (u64, u64)>),
    /// A registry, and the tag or digest there.
    Registry(Box<Pull<'a>>, String),
}

/// A section of a file, read from start to end.
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Input for Part {
    fn position(&self) -> u64 {
        self.at
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match self.at.checked_add(bytes).filter(|at| *at <= self.end) {
            Some(at) => self.at = at,
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }
}

/// A file of a layout, read up to the size it had when opened.
struct Whole {
    source: Arc<dyn Source>,
    at: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.meta().size.saturating_sub(self.at);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.source.read_at(self.at, &mut buffer[..wanted])?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A layer's blob.
pub(super) struct LayerBlob {
    /// Its name in the store.
    pub(super) name: String,
    /// Its digest according to the manifest; docker's archive has none.
    pub(super) digest: Option<String>,
    /// Its size as stored.
    pub(super) size: u64,
}

/// A layer to read.
pub(super) struct OpenLayer<'a> {
    pub(super) bytes: Box<dyn Read + 'a>,
    /// Where the same bytes can be read again.
    pub(super) origin: Option<Origin>,
}

/// The parts of one image.
pub(super) struct Found {
    /// The configuration.
    pub(super) config: Vec<u8>,
    /// The layers, lowest first.
    pub(super) layers: Vec<LayerBlob>,
    /// Annotations of the manifest.
    pub(super) annotations: BTreeMap<String, String>,
    /// The full name of the image.
    pub(super) name: Option<String>,
    /// The digest of its manifest.
    pub(super) digest: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Index {
    pub(super) manifests: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) digest: String,
    #[serde(default)]
    pub(super) size: Option<u64>,
    #[serde(default)]
    pub(super) media_type: String,
    #[serde(default)]
    pub(super) annotations: Option<HashMap<String, String>>,
    #[serde(default)]
    pub(super) platform: Option<Platform>,
    /// The kind of a document that refers to an image; the document is not an image.
    #[serde(default)]
    artifact_type: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// An entry of docker's manifest.json (docker save).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl<'a> Store<'a> {
    pub(super) fn open(reference: &Reference, options: &ReadOptions<'a>) -> Result<Self, Error> {
        if let Some(address) = reference.address()? {
            let pull = Pull::open(&address, options.access, options.stop)?;
            return Ok(Self::Registry(Box::new(pull), address.selector().to_owned()));
        }
        if let Some((word, name)) = reference.in_store()? {
            let place = std::env::temp_dir();
            let mut file = tempfile::tempfile().map_err(|error| Error::unwritable(&place.display(), error))?;
            Engine::find(word)?.save(name, &mut file)?;
            return Self::of_archive(reference, Arc::new(file));
        }
        let path = &reference.path;
        let missing = |error: io::Error| {
            Error::new("image-missing", format!("cannot open the image {reference}"))
                .because(error)
                .help("write for example oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE; docker save and podman save make them")
        };
        if reference.word == "oci" {
            let tree =
                DirTree::open(path).map_err(|error| missing(error.source.unwrap_or(io::ErrorKind::NotFound.into())))?;
            if tree.meta(&RootPath::root().join(b"index.json"))?.is_none() {
                return Err(missing(io::ErrorKind::NotFound.into()));
            }
            return Ok(Self::Dir(tree));
        }
        // Opening a pipe must not block. The path comes from the user and may be a symlink.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(missing)?;
        let meta = file.metadata().map_err(missing)?;
        if !meta.is_file() {
            return Err(missing(io::Error::other("not a regular file")));
        }
        Self::of_archive(reference, Arc::new(file))
    }

    /// The files of an archive.
    fn of_archive(reference: &Reference, file: Arc<File>) -> Result<Self, Error> {
        let size = file.metadata().map_err(|error| Error::unreadable(reference, error))?.len();
        let bad = |fault| {
            let mut first = [0; 2];
            let is_packed = file.read_exact_at(&mut first, 0).is_ok() && first == [0x1f, 0x8b];
            let help = if is_packed { "it is compressed: gunzip it first" } else { "save the image again" };
            bad_archive(reference, "the archive", fault).help(help)
        };
        let mut archive = TarReader::new(Part { file: Arc::clone(&file), at: 0, end: size });
        let mut names = HashMap::new();
        let mut aliases = Vec::new();
        let mut bytes = 0;
        while let Some(entry) = archive.entry().map_err(bad)? {
            let name = clean(&entry.name);
            bytes += entry.name.len() + entry.link.len();
            // docker save uses symlinks for blobs that several images share.
            if entry.kind.is_symlink() || entry.kind.is_hard_link() {
                let dir = name.rsplit_once('/').map_or("", |(dir, _)| dir);
                aliases.push((name.clone(), joined(dir, &clean(&entry.link))));
            } else if entry.kind.is_file() {
                names.insert(name, (archive.input().at, entry.size));
            }
            if names.len() + aliases.len() > MAX_ENTRIES {
                return Err(too_large(reference, format!("it has more than {MAX_ENTRIES} entries")));
            }
            if bytes > MAX_NAME_BYTES {
                return Err(too_large(reference, format!("its names take more than {} MiB", MAX_NAME_BYTES >> 20)));
            }
        }
        for (name, target) in aliases {
            if let Some(place) = names.get(&target).copied() {
                names.insert(name, place);
            }
        }
        Ok(Self::Archive(file, names))
    }

    /// Opens a layer. `opened` says how many files of layers are open: others are read only once.
    pub(super) fn layer(&self, layer: &LayerBlob, opened: usize) -> Result<OpenLayer<'_>, Error> {
        let (bytes, origin): (Box<dyn Read + '_>, _) = match (self, &layer.digest) {
            (Self::Registry(pull, _), Some(digest)) => (pull.blob(digest, layer.size)?, None),
            (Self::Dir(_), _) => {
                let source: Arc<dyn Source> = self.file(&layer.name)?.into();
                let origin = (opened < MAX_OPEN).then(|| Origin::Blob(Arc::clone(&source)));
                (Box::new(Whole { source, at: 0 }), origin)
            }
            (Self::Archive(file, _), _) => {
                let start = self.start(&layer.name);
                (self.blob(&layer.name)?, start.map(|start| Origin::Archive(Arc::clone(file), start)))
            }
            _ => (self.blob(&layer.name)?, None),
        };
        Ok(OpenLayer { bytes, origin })
    }

    /// Opens a file of a layout in a directory. Names come from documents and must not lead out of it.
    fn file(&self, name: &str) -> Result<Box<dyn Source>, Error> {
        let absent = || Error::new("bad-image", format!("the image has no {}, which it refers to", shown(name)));
        let (Self::Dir(tree), Some(path)) = (self, RootPath::new(format!("/{name}"))) else { return Err(absent()) };
        tree.open(&path).map_err(|error| Error { source: error.source, ..absent() })
    }

    /// Opens a blob or document of a file.
    fn blob(&self, name: &str) -> Result<Box<dyn Read>, Error> {
        let absent = || Error::new("bad-image", format!("the image has no {}, which it refers to", shown(name)));
        match self {
            Self::Dir(_) => Ok(Box::new(Whole { source: self.file(name)?.into(), at: 0 })),
            Self::Archive(file, names) => {
                let (at, size) = names.get(name).copied().ok_or_else(absent)?;
                let end = at.checked_add(size).ok_or_else(absent)?;
                Ok(Box::new(Part { file: Arc::clone(file), at, end }))
            }
            Self::Registry(..) => Err(absent()),
        }
    }

    /// Returns the offset of a blob in the archive.
    fn start(&self, name: &str) -> Option<u64> {
        if let Self::Archive(_, names) = self { names.get(name).map(|(start, _)| *start) } else { None }
    }

    /// Size of a blob, if it exists.
    fn size(&self, name: &str) -> Option<u64> {
        match self {
            Self::Dir(tree) => tree.meta(&RootPath::new(format!("/{name}"))?).ok()?.map(|meta| meta.size),
            Self::Archive(_, names) => names.get(name).map(|(_, size)| *size),
            Self::Registry(..) => None,
        }
    }

    fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.blob(name)?
            .take(MAX_DOCUMENT + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::unreadable(&shown(name), error))?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            let says = format!("{} of the image is larger than {MAX_DOCUMENT} bytes", shown(name));
            return Err(Error::new("bad-image", says));
        }
        Ok(bytes)
    }

    /// Reads a document and checks it against its descriptor.
    pub(super) fn described(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        if let Self::Registry(pull, _) = self {
            return remote::document(pull, reference, descriptor, MAX_DOCUMENT);
        }
        let bytes = self.document(&blob_name(reference, &descriptor.digest)?)?;
        if Digest::of(&bytes).to_string() != descriptor.digest {
            return Err(bad_image(reference, format!("{} is not that of its bytes", shown(&descriptor.digest))));
        }
        Ok(bytes)
    }

    /// Finds the requested image.
    pub(super) fn image(&self, reference: &Reference, wanted: Option<&Platform>) -> Result<Found, Error> {
        match self {
            Self::Registry(pull, selector) => {
                let (bytes, media_type) = pull.manifest(selector)?;
                if remote::is_index(&media_type) {
                    return self.walk(reference, parsed(reference, "an index", &bytes)?, wanted);
                }
                self.found(reference, &bytes, self.address_name(reference)?)
            }
            _ if reference.word == "docker-archive" || reference.in_store()?.is_some() => self.docker(reference),
            _ => self.oci(reference, wanted),
        }
    }

    /// True for a layout, also in an archive that has docker's manifest too.
    pub(super) fn has_index(&self) -> bool {
        self.size("index.json").is_some()
    }

    fn oci(&self, reference: &Reference, wanted: Option<&Platform>) -> Result<Found, Error> {
        self.walk(reference, self.named(reference)?, wanted)
    }

    /// The index of a layout, reduced to the entries of the reference.
    pub(super) fn named(&self, reference: &Reference) -> Result<Index, Error> {
        let mut index: Index = parsed(reference, "index.json", &self.document("index.json")?)?;
        index.manifests.retain(|found| found.artifact_type.is_none());
        if let Some(tag) = &reference.tag {
            let has_name = |descriptor: &Descriptor, key: &str| {
                let named = descriptor.annotations.as_ref().and_then(|all| all.get(key));
                named.is_some_and(|name| name == tag)
            };
            let is_it = |descriptor: &Descriptor| {
                has_name(descriptor, "org.opencontainers.image.ref.name")
                    || has_name(descriptor, "io.containerd.image.name")
            };
            let names = names(&index);
            index.manifests.retain(is_it);
            if index.manifests.is_empty() {
                return Err(Error::new("image-missing", format!("{reference} has no image with the tag {tag}"))
                    .help(called(&names)));
            }
        } else if index.manifests.len() > 1 && index.manifests.iter().all(|found| found.platform.is_none()) {
            let names = names(&index);
            if names.len() > 1 {
                return Err(Error::new("image-missing", format!("{reference} contains {} images", names.len()))
                    .help(format!("add the tag: oci:DIR:TAG or oci-archive:FILE:TAG; {}", called(&names))));
            }
        }
        Ok(index)
    }

    /// Follows indexes to the image of a platform.
    fn walk(&self, reference: &Reference, mut index: Index, wanted: Option<&Platform>) -> Result<Found, Error> {
        let mut name = self.address_name(reference)?;
        for _ in 0..MAX_DEPTH {
            let chosen = chosen(reference, &index, wanted)?;
            let bytes = match self {
                Self::Registry(pull, _) => pull.manifest(&chosen.digest)?.0,
                _ => self.described(reference, &chosen)?,
            };
            name = name.or_else(|| full_name(&chosen));
            if !remote::is_index(&chosen.media_type) {
                return self.found(reference, &bytes, name);
            }
            index = parsed(reference, "an index", &bytes)?;
        }
        Err(bad_image(reference, "its indexes refer to each other"))
    }

    /// The parts that a manifest names.
    fn found(&self, reference: &Reference, manifest: &[u8], name: Option<String>) -> Result<Found, Error> {
        let digest = Some(Digest::of(manifest).to_string());
        let manifest: Manifest = parsed(reference, "its manifest", manifest)?;
        let blob = |descriptor: &Descriptor| {
            let name = blob_name(reference, &descriptor.digest)?;
            let size = match (self, descriptor.size) {
                (Self::Registry(..), Some(size)) => size,
                (Self::Registry(..), None) => return Err(bad_image(reference, "a layer in its manifest has no size")),
                _ => self.size(&name).unwrap_or_default(),
            };
            if descriptor.size.is_some_and(|stated| stated != size) {
                return Err(bad_image(reference, format!("{name} has {size} bytes, its manifest says otherwise")));
            }
            Ok(LayerBlob { name, digest: Some(descriptor.digest.clone()), size })
        };
        few(reference, manifest.layers.len())?;
        Ok(Found {
            config: self.described(reference, &manifest.config)?,
            layers: manifest.layers.iter().map(blob).collect::<Result<_, Error>>()?,
            annotations: manifest.annotations.unwrap_or_default(),
            name,
            digest,
        })
    }

    /// The full name of an image in a registry.
    fn address_name(&self, reference: &Reference) -> Result<Option<String>, Error> {
        Ok(reference.address()?.map(|address| address.full().trim_start_matches(PREFIX).to_owned()))
    }

    fn docker(&self, reference: &Reference) -> Result<Found, Error> {
        let all: Vec<DockerEntry> = parsed(reference, "manifest.json", &self.document("manifest.json")?)?;
        let tags = |entry: &DockerEntry| entry.repo_tags.clone().unwrap_or_default();
        let known: Vec<String> = all.iter().flat_map(tags).collect();
        let is_it = |entry: &&DockerEntry| {
            let Some(wanted) = &reference.tag else { return true };
            tags(entry).iter().any(|tag| tag == wanted || tag.ends_with(&format!("/{wanted}")))
        };
        let Some(entry) = all.iter().find(is_it) else {
            return Err(
                Error::new("image-missing", format!("{reference}: the archive has no such image")).help(called(&known))
            );
        };
        let blob = |name: &String| {
            let name = clean(name.as_bytes());
            let size = self.size(&name).unwrap_or_default();
            LayerBlob { name, digest: None, size }
        };
        few(reference, entry.layers.len())?;
        Ok(Found {
            config: self.document(&clean(entry.config.as_bytes()))?,
            layers: entry.layers.iter().map(blob).collect(),
            annotations: BTreeMap::new(),
            name: tags(entry).into_iter().next(),
            digest: None,
        })
    }
}

/// The name of an image with its repository, not a bare tag.
fn full_name(descriptor: &Descriptor) -> Option<String> {
    let annotations = descriptor.annotations.as_ref()?;
    let named = ["io.containerd.image.name", "org.opencontainers.image.ref.name"].map(|key| annotations.get(key));
    named.into_iter().flatten().find(|name| name.contains('/') || name.contains(':')).cloned()
}

fn names(index: &Index) -> Vec<String> {
    let named = index.manifests.iter().filter_map(|found| found.annotations.as_ref());
    named.filter_map(|all| all.get("org.opencontainers.image.ref.name").cloned()).collect()
}

pub(super) fn parsed<'a, T: Deserialize<'a>>(reference: &Reference, what: &str, bytes: &'a [u8]) -> Result<T, Error> {
    refuse_many_values(reference, bytes)?;
    serde_json::from_slice(bytes)
        .map_err(|error| bad_image(reference, format!("{what} cannot be read: {}", place_of(&error))))
}

fn few(reference: &Reference, layers: usize) -> Result<(), Error> {
    if layers > MAX_LAYERS {
        return Err(bad_image(reference, format!("it has {layers} layers; more than {MAX_LAYERS} are not read")));
    }
    Ok(())
}

/// Formats image names for a message.
fn called(names: &[String]) -> String {
    let mut listed: Vec<String> = names.iter().take(MAX_NAMES).map(|name| shown(name)).collect();
    if names.len() > MAX_NAMES {
        listed.push(format!("and {} more", names.len() - MAX_NAMES));
    }
    match listed.is_empty() {
        true => "its images have no tags: remove the tag".to_owned(),
        false => format!("the tags of its images are {}", listed.join(", ")),
    }
}

/// The path `blobs/ALGORITHM/HEX` of a digest.
pub(super) fn blob_name(reference: &Reference, digest: &str) -> Result<String, Error> {
    let is_digest = |hex: &str| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    match digest.split_once(':') {
        Some(("sha256", hex)) if is_digest(hex) => Ok(format!("blobs/sha256/{hex}")),
        _ => Err(bad_image(reference, format!("{} is not a SHA-256 digest", shown(digest)))),
    }
}

/// A name in an archive without the prefix that some tools add.
fn clean(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.trim_start_matches("./").trim_end_matches('/').to_owned()
}

fn joined(dir: &str, target: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}
