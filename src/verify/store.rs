//! Where the documents and blobs of an image are: an OCI layout as a directory or in a tar file (image-layout.md), or
//! docker's archive, whose `manifest.json` names them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

use super::{Reference, bad_image};
use crate::digest::Digest;
use crate::error::Error;

/// Largest document that is read.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Indexes that refer to indexes.
const MAX_DEPTH: usize = 4;
/// Entries of an archive.
const MAX_ENTRIES: usize = 1 << 16;

/// The files of an image.
pub(super) enum Store {
    Dir(PathBuf),
    /// Name to offset and size in the archive.
    Archive(PathBuf, HashMap<String, (u64, u64)>),
}

/// A layer's blob.
pub(super) struct LayerBlob {
    /// Its name in the store.
    pub(super) name: String,
    /// Its digest as the manifest states it; docker's archive states none.
    pub(super) digest: Option<String>,
    /// Its bytes as stored.
    pub(super) size: u64,
}

/// What makes up one image.
pub(super) struct Found {
    /// The configuration's bytes.
    pub(super) config: Vec<u8>,
    /// The layers, the lowest first.
    pub(super) layers: Vec<LayerBlob>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    annotations: Option<HashMap<String, String>>,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Clone, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
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

impl Store {
    pub(super) fn open(reference: &Reference) -> Result<Self, Error> {
        let path = &reference.path;
        let missing = |error: io::Error| {
            Error::new("image-missing", format!("cannot open the image {reference}"))
                .because(error)
                .help("write for example oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE; docker save and podman save make them")
        };
        if reference.word == "oci" {
            std::fs::metadata(path.join("index.json")).map_err(missing)?;
            return Ok(Self::Dir(path.clone()));
        }
        let file = File::open(path).map_err(missing)?;
        let bad = |error: io::Error| {
            let mut first = [0; 2];
            let is_packed =
                File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == [0x1f, 0x8b];
            let help = if is_packed { "it is compressed: gunzip it first" } else { "save the image anew" };
            bad_image(reference, format!("it is no tar archive ({error})")).help(help)
        };
        let mut archive = tar::Archive::new(file);
        let mut names = HashMap::new();
        let mut aliases = Vec::new();
        for entry in archive.entries_with_seek().map_err(bad)? {
            let entry = entry.map_err(bad)?;
            let name = clean(&entry.path_bytes());
            // docker save names a blob that several images share by a link.
            if let Some(target) = entry.link_name_bytes() {
                let dir = name.rsplit_once('/').map_or("", |(dir, _)| dir);
                aliases.push((name.clone(), joined(dir, &clean(&target))));
            } else {
                names.insert(name, (entry.raw_file_position(), entry.size()));
            }
            if names.len() > MAX_ENTRIES {
                return Err(bad_image(reference, format!("it has more than {MAX_ENTRIES} entries")));
            }
        }
        for (name, target) in aliases {
            if let Some(place) = names.get(&target).copied() {
                names.insert(name, place);
            }
        }
        Ok(Self::Archive(path.clone(), names))
    }

    /// Opens a blob or document.
    pub(super) fn blob(&self, name: &str) -> Result<Box<dyn Read>, Error> {
        let absent = || Error::new("bad-image", format!("the image has no {name}, which it refers to"));
        match self {
            Self::Dir(dir) => {
                // Names come out of documents: no part of one may lead out of the layout.
                if name.split('/').any(|part| part == ".." || part.is_empty()) {
                    return Err(absent());
                }
                let file = File::open(dir.join(name)).map_err(|error| absent().because(error))?;
                Ok(Box::new(file))
            }
            Self::Archive(path, names) => {
                let (at, size) = names.get(name).copied().ok_or_else(absent)?;
                let mut file = File::open(path).map_err(|error| Error::unreadable(&path.display(), error))?;
                file.seek(SeekFrom::Start(at)).map_err(|error| Error::unreadable(&path.display(), error))?;
                Ok(Box::new(file.take(size)))
            }
        }
    }

    fn document(&self, name: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.blob(name)?
            .take(MAX_DOCUMENT + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::unreadable(&name, error))?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(Error::new("bad-image", format!("{name} of the image is larger than {MAX_DOCUMENT} bytes")));
        }
        Ok(bytes)
    }

    /// A document by its descriptor, which its bytes must match.
    fn described(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let bytes = self.document(&blob_name(reference, &descriptor.digest)?)?;
        if Digest::of(&bytes).to_string() != descriptor.digest {
            return Err(bad_image(reference, format!("{} is not what its bytes have", descriptor.digest)));
        }
        Ok(bytes)
    }

    /// Finds the image that is asked for.
    pub(super) fn image(&self, reference: &Reference) -> Result<Found, Error> {
        if reference.word == "docker-archive" { self.docker(reference) } else { self.oci(reference) }
    }

    fn oci(&self, reference: &Reference) -> Result<Found, Error> {
        let mut index: Index = parsed(reference, "index.json", &self.document("index.json")?)?;
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
                return Err(Error::new("image-missing", format!("{reference}: no image there is called {tag}"))
                    .help(format!("its images are called {}", names.join(", "))));
            }
        } else if index.manifests.len() > 1 && index.manifests.iter().all(|found| found.platform.is_none()) {
            let names = names(&index);
            if names.len() > 1 {
                return Err(Error::new("image-missing", format!("{reference} holds {} images", names.len()))
                    .help(format!("say which: {}:{}", reference, names[0])));
            }
        }
        for _ in 0..MAX_DEPTH {
            let Some(chosen) = chosen(&index) else {
                return Err(bad_image(reference, "its index names no image"));
            };
            let bytes = self.described(reference, &chosen)?;
            if chosen.media_type.contains("index") || chosen.media_type.contains("manifest.list") {
                index = parsed(reference, "an index", &bytes)?;
                continue;
            }
            let manifest: Manifest = parsed(reference, "its manifest", &bytes)?;
            let blob = |descriptor: &Descriptor| {
                Ok(LayerBlob {
                    name: blob_name(reference, &descriptor.digest)?,
                    digest: Some(descriptor.digest.clone()),
                    size: descriptor.size,
                })
            };
            return Ok(Found {
                config: self.described(reference, &manifest.config)?,
                layers: manifest.layers.iter().map(blob).collect::<Result<_, Error>>()?,
            });
        }
        Err(bad_image(reference, "its indexes refer to each other"))
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
            return Err(Error::new("image-missing", format!("{reference}: the archive has no such image"))
                .help(format!("its images are called {}", known.join(", "))));
        };
        let blob = |name: &String| {
            let name = clean(name.as_bytes());
            let size = match self {
                Self::Archive(_, names) => names.get(&name).map_or(0, |(_, size)| *size),
                Self::Dir(_) => 0,
            };
            LayerBlob { name, digest: None, size }
        };
        Ok(Found {
            config: self.document(&clean(entry.config.as_bytes()))?,
            layers: entry.layers.iter().map(blob).collect(),
        })
    }
}

fn names(index: &Index) -> Vec<String> {
    let named = index.manifests.iter().filter_map(|found| found.annotations.as_ref());
    named.filter_map(|all| all.get("org.opencontainers.image.ref.name").cloned()).collect()
}

/// The image for this machine, else the first; what is marked as made for no platform is an attestation.
fn chosen(index: &Index) -> Option<Descriptor> {
    let own = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let fits = |found: &&Descriptor| {
        found.platform.as_ref().is_some_and(|platform| platform.architecture == own && platform.os == "linux")
    };
    let is_image =
        |found: &&Descriptor| found.platform.as_ref().is_none_or(|platform| platform.architecture != "unknown");
    index.manifests.iter().find(fits).or_else(|| index.manifests.iter().find(is_image)).cloned()
}

fn parsed<'a, T: Deserialize<'a>>(reference: &Reference, what: &str, bytes: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| bad_image(reference, format!("{what} cannot be read: {error}")))
}

/// `blobs/ALGORITHM/HEX` of a digest.
fn blob_name(reference: &Reference, digest: &str) -> Result<String, Error> {
    let is_digest = |hex: &str| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    match digest.split_once(':') {
        Some(("sha256", hex)) if is_digest(hex) => Ok(format!("blobs/sha256/{hex}")),
        _ => Err(bad_image(reference, format!("{digest} is no SHA-256 digest"))),
    }
}

/// A name of an archive without what tools put in front of it.
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
