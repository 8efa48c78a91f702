//! `oci:DIR[:TAG]`: an OCI image layout. In an existing layout, the image is added under its tag and the others stay.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::aside::{Aside, exists, give, parent};
use super::layout::{Index, OCI_LAYOUT, REF_NAME, entry};
use super::place::DirPlace;
use super::reference::Name;
use super::{Destination, Finished, Naming, Output, Prepared, Transport, WriteOptions};
use crate::cleanup;
use crate::error::Error;
use crate::image::{Artifact, Descriptor, canonical};
use crate::layer::{Codec, interrupted};
use crate::plan::Plan;

pub(super) const TRANSPORT: Transport = Transport { word: "oci", naming: Naming::TagOrName, start };

const BLOBS: &str = "blobs/sha256";
/// Maximum size of an index.
const MAX_INDEX: u64 = 16 << 20;
const INDEX: &str = "index.json";

struct OciDir {
    path: PathBuf,
    codec: Codec,
    reference: Option<String>,
    /// A layout with only this image; its contents are moved into an existing layout.
    place: DirPlace,
    described: Described,
    /// Changes of a layout that was there before.
    added: Option<Added>,
}

/// Entries of the index: images, and documents that refer to the first.
#[derive(Default)]
struct Described {
    images: Vec<Descriptor>,
    referrers: Vec<Descriptor>,
}

impl Described {
    fn entries(&self) -> Vec<&Descriptor> {
        self.images.iter().chain(&self.referrers).collect()
    }
}

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    Ok(Box::new(open(destination, options.codec.unwrap_or(Codec::GZIP))?))
}

/// Writes one entry to a layout; `fill` puts its blobs and documents into a directory.
///
/// # Errors
/// `output-exists`, `output-unwritable`, and those of `fill`.
pub(super) fn write_bundle(
    destination: &Destination,
    described: Descriptor,
    fill: &dyn Fn(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut dir = open(destination, Codec::None)?;
    let (aside, path) = (dir.place.aside().to_path_buf(), dir.path.clone());
    let unwritable = |error| Error::unwritable(&path.display(), error);
    let blobs = aside.join(BLOBS);
    fs::create_dir_all(&blobs).map_err(unwritable)?;
    fill(&blobs)?;
    dir.described.images.push(described);
    complete(&aside, dir.described.entries()).map_err(unwritable)?;
    cleanup::begin_placing();
    dir.place()?;
    Box::new(dir).settle();
    Ok(())
}

/// Writes the documents of a layout itself.
fn complete(aside: &Path, entries: Vec<&Descriptor>) -> io::Result<()> {
    fs::write(aside.join("oci-layout"), OCI_LAYOUT)?;
    fs::write(aside.join(INDEX), canonical(&Index::new(entries)))?;
    fs::set_permissions(aside, fs::Permissions::from_mode(0o755))
}

fn open(destination: &Destination, codec: Codec) -> Result<OciDir, Error> {
    let path: PathBuf = destination.path.components().collect();
    let place = if is_layout(&path) {
        // Detect a layout that cannot be extended before packing starts.
        read_index(&path)?;
        refuse_links(&path)?;
        DirPlace::inside(&path)?
    } else {
        DirPlace::start(&path, false).map_err(|error| match error.code {
            "output-exists" => {
                exists(&path).help("an existing directory must be an OCI layout, to which the image is added, or empty")
            }
            _ => error,
        })?
    };
    Ok(OciDir {
        path,
        codec,
        reference: destination.reference.clone(),
        place,
        described: Described::default(),
        added: None,
    })
}

/// Refuses a layout with a symlink in it, because our files would end up elsewhere.
fn refuse_links(layout: &Path) -> Result<(), Error> {
    for (part, is_dir) in [("oci-layout", false), (INDEX, false), ("blobs", true), (BLOBS, true)] {
        match fs::symlink_metadata(layout.join(part)) {
            Ok(meta) if meta.is_dir() == is_dir && meta.is_file() != is_dir => {}
            Err(error) if is_dir && error.kind() == io::ErrorKind::NotFound => {}
            _ => {
                let says = format!(
                    "{} is not an OCI layout that an image can be added to: its {part} is a symlink or of \
                             another kind",
                    layout.display()
                );
                return Err(Error::new("output-exists", says).help("name another directory"));
            }
        }
    }
    Ok(())
}

fn is_layout(path: &Path) -> bool {
    path.join("oci-layout").is_file()
}

impl Output for OciDir {
    fn codec(&self) -> Option<Codec> {
        Some(self.codec)
    }

    fn staging(&self) -> PathBuf {
        // Next to the new layout, not inside it, because it would be moved along.
        parent(self.place.aside()).join("layer")
    }

    fn prepare(&mut self, _: &Plan, finished: Option<&Finished>, stop: &dyn Fn() -> bool) -> Result<Prepared, Error> {
        let Some(finished) = finished else { return Ok(Prepared::default()) };
        let described = |(suffix, image)| {
            let name = Name::new(self.reference.as_deref()).suffixed(suffix);
            entry(image, name.ref_name(), name.full(false))
        };
        let described = Described {
            images: finished.images().map(described).collect(),
            referrers: finished.artifacts.iter().map(|one| one.descriptor.clone()).collect(),
        };
        let aside = self.place.aside();
        let fill = || -> io::Result<()> {
            let blobs = aside.join(BLOBS);
            fs::create_dir_all(&blobs)?;
            for (_, image) in finished.images() {
                fs::write(blobs.join(image.config_digest.hex()), &image.config)?;
                fs::write(blobs.join(image.descriptor.digest.hex()), &image.manifest)?;
            }
            for artifact in &finished.artifacts {
                fs::write(blobs.join(artifact.descriptor.digest.hex()), &artifact.manifest)?;
                artifact.parts.iter().try_for_each(|part| fs::write(blobs.join(part.digest.hex()), &part.bytes))?;
            }
            for (layer, blob) in finished.layers() {
                give(blob, &blobs.join(layer.digest.hex()), stop)?;
            }
            complete(aside, described.entries())
        };
        fill().map_err(|error| if stop() { interrupted() } else { Error::unwritable(&self.path.display(), error) })?;
        self.described = described;
        let twin = finished.twin.as_ref();
        let twin = twin.map(|(suffix, _)| Name::new(self.reference.as_deref()).suffixed(suffix).ref_name());
        let attached: u64 = finished.artifacts.iter().map(Artifact::size).sum();
        Ok(Prepared { bytes: finished.bytes() + attached, has_image: true, twin, notes: Vec::new() })
    }

    fn place(&mut self) -> Result<(), Error> {
        if self.described.images.is_empty() {
            return Ok(());
        }
        // Check again now, because another run or another destination may have created the layout since the start.
        let mut locked = lock(&self.path);
        if !is_layout(&self.path) {
            match self.place.place() {
                Err(_) if is_layout(&self.path) => locked = lock(&self.path),
                other => return other,
            }
        }
        self.added = Some(add(&self.path, self.place.aside(), &self.described)?);
        // Other destinations of this run may be in the same layout, so its lock is not kept until all are placed.
        drop(locked);
        Ok(())
    }

    fn take_back(&mut self) -> io::Result<()> {
        let Some(added) = &self.added else { return self.place.take_back() };
        let _lock = lock(&self.path);
        let text = |error: Error| io::Error::other(error.to_string());
        let index = without_image(read_index(&self.path).map_err(text)?, added);
        let mut old = Aside::file(&self.path.join(INDEX), "json").map_err(text)?;
        old.create()?.write_all(&index)?;
        old.place(&self.path.join(INDEX)).map_err(text)?;
        remove_all(&added.blobs);
        Ok(())
    }

    fn settle(self: Box<Self>) -> Vec<String> {
        if self.added.is_some() { Vec::new() } else { self.place.settle() }
    }
}

/// Locks a layout until the file is closed, so that concurrent runs keep each other's tags. A missing directory, or a
/// file system without locks, is not locked.
fn lock(layout: &Path) -> Option<File> {
    loop {
        let file = File::open(layout).ok()?;
        match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => continue,
            Err(_) => return None,
            Ok(()) => {}
        }
        // Another run may have replaced the directory that was locked.
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        if file.metadata().map(identity).ok()? == fs::metadata(layout).map(identity).ok()? {
            return Some(file);
        }
    }
}

/// Changes of a layout that was there before.
struct Added {
    /// New files.
    blobs: Vec<PathBuf>,
    /// The new entries of the index, and the entries that they replaced.
    entries: Vec<serde_json::Value>,
    replaced: Vec<serde_json::Value>,
}

/// Adds the images of one layout to another, which is locked.
fn add(layout: &Path, from: &Path, described: &Described) -> Result<Added, Error> {
    let unwritable = |error| Error::unwritable(&layout.display(), error);
    refuse_links(layout)?;
    let (index, entries, replaced) = with_images(read_index(layout)?, described, layout);
    let mut new = Aside::file(&layout.join(INDEX), "json")?;
    new.create().and_then(|mut file| file.write_all(&index)).map_err(unwritable)?;
    let added = move_blobs(&from.join(BLOBS), layout).map_err(unwritable)?;
    new.place(&layout.join(INDEX)).inspect_err(|_| remove_all(&added))?;
    Ok(Added { blobs: added, entries, replaced })
}

/// Moves blobs to the paths given by their digests and returns the new ones. An existing blob is replaced: it is
/// identical unless it was damaged.
fn move_blobs(from: &Path, layout: &Path) -> io::Result<Vec<PathBuf>> {
    // Keep the directory open, so that it cannot be replaced by a symlink meanwhile.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut to = rustix::fs::openat(CWD, layout, flags, Mode::empty())?;
    for part in BLOBS.split('/') {
        match rustix::fs::mkdirat(&to, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        to = rustix::fs::openat(&to, part, flags, Mode::empty())?;
    }
    let mut added = Vec::new();
    for blob in fs::read_dir(from)? {
        let blob = blob?;
        let place = layout.join(BLOBS).join(blob.file_name());
        let is_new = !place.exists();
        if let Err(errno) = rustix::fs::renameat(CWD, blob.path(), &to, blob.file_name()) {
            remove_all(&added);
            return Err(errno.into());
        }
        if is_new {
            added.push(place);
        }
    }
    Ok(added)
}

/// Removes blobs that no index refers to; failures are harmless.
fn remove_all(blobs: &[PathBuf]) {
    for blob in blobs {
        let _ = fs::remove_file(blob);
    }
}

/// The index of an existing layout.
fn read_index(layout: &Path) -> Result<serde_json::Value, Error> {
    let path = layout.join(INDEX);
    let unreadable = |error: io::Error| Error::unreadable(&path.display(), error);
    // Do not follow symlinks, and do not block on a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(&path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let mut text = Vec::new();
    file.take(MAX_INDEX).read_to_end(&mut text).map_err(unreadable)?;
    // Do not quote its text, because it may not be an index at all.
    let damaged = || {
        Error::new("output-exists", format!("{} is not the index of an OCI layout", path.display()))
            .help("name another directory")
    };
    // oci-spec checks that it is an index. The original JSON is kept, including unknown fields.
    oci_spec::image::ImageIndex::from_reader(text.as_slice()).map_err(|_| damaged())?;
    serde_json::from_slice(&text).map_err(|_| damaged())
}

/// The index with these images added under their tags, the new entries, and the entries that they replaced. Documents
/// that refer to a replaced image, which no other entry names, go with it.
fn with_images(
    mut index: serde_json::Value,
    described: &Described,
    layout: &Path,
) -> (Vec<u8>, Vec<serde_json::Value>, Vec<serde_json::Value>) {
    let tag_of = |entry: &serde_json::Value| entry.get("annotations").and_then(|notes| notes.get(REF_NAME)).cloned();
    // A descriptor contains only strings, numbers and a map with string keys, so this cannot fail.
    let value = |one: &Descriptor| serde_json::to_value(one).unwrap_or_default();
    let mut added: Vec<serde_json::Value> = described.images.iter().map(value).collect();
    let mut replaced = Vec::new();
    if let Some(entries) = index.get_mut("manifests").and_then(|entries| entries.as_array_mut()) {
        let is_new = |entry: &serde_json::Value| added.iter().any(|new| tag_of(new) == tag_of(entry));
        replaced = entries.extract_if(.., |entry| is_new(entry)).collect();
        entries.extend(added.iter().cloned());
        let digest = |entry: &serde_json::Value| entry["digest"].as_str().map(str::to_owned);
        let known: BTreeSet<String> = entries.iter().filter_map(digest).collect();
        let gone: BTreeSet<String> = replaced.iter().filter_map(digest).filter(|one| !known.contains(one)).collect();
        let is_orphan = |entry: &serde_json::Value| {
            !entry["artifactType"].is_null()
                && digest(entry).and_then(|own| subject(layout, &own)).is_some_and(|subject| gone.contains(&subject))
        };
        replaced.extend(entries.extract_if(.., |entry| is_orphan(entry)));
        let new = described.referrers.iter().filter(|one| !known.contains(&one.digest.to_string())).map(value);
        for entry in new {
            entries.push(entry.clone());
            added.push(entry);
        }
    }
    (canonical(&index), added, replaced)
}

/// The digest of the image to which a manifest of a layout refers.
fn subject(layout: &Path, digest: &str) -> Option<String> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(layout.join(BLOBS).join(hex)).ok()?;
    let mut text = Vec::new();
    file.take(MAX_INDEX).read_to_end(&mut text).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&text).ok()?;
    manifest["subject"]["digest"].as_str().map(str::to_owned)
}

/// The index as it was before images were added, with what other runs have added since.
fn without_image(mut index: serde_json::Value, added: &Added) -> Vec<u8> {
    if let Some(entries) = index.get_mut("manifests").and_then(|entries| entries.as_array_mut()) {
        entries.retain(|entry| !added.entries.contains(entry));
        entries.extend(added.replaced.iter().cloned());
    }
    canonical(&index)
}
