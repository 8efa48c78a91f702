//! An independent reader of images: unpacks any image into a tree that can be used as a root. It shares no code with
//! the modules that write images, trusts no digest that it has not computed, and lets no entry escape from the tree.

mod gunzip;
mod in_place;
mod layers;
mod nodes;
mod platform;
mod raw;
mod remote;
mod store;
mod stored;
mod tar;
mod tree;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use crate::config::Healthcheck;
use crate::engine;
use crate::error::Error;
use crate::path::show;
use crate::registry::{self, Access, Address};
use crate::root::Tree;
use crate::text::json_values;

use layers::Unpacking;
use store::Store;
use tar::Fault;

/// Transports of images that can be read.
pub const TRANSPORTS: [&str; 6] =
    ["oci", "oci-archive", "docker-archive", "docker", crate::engine::WORDS[0], crate::engine::WORDS[1]];

#[cfg(feature = "cli")]
pub(crate) use layers::bytes_read;
pub use platform::Platform;
pub use raw::{Stock, StoredBlob, StoredImage};
pub use stored::{StoredLayer, stored};

/// The location of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    text: String,
    word: &'static str,
    path: PathBuf,
    tag: Option<String>,
}

impl Reference {
    /// Parses `TRANSPORT:PATH[:TAG]`; `None` if the text is not an image reference, such as a plain path.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(':')?;
        let word = TRANSPORTS.into_iter().find(|known| *known == word)?;
        if word == "docker" {
            // An invalid address is reported when it is opened.
            let is_address = text.starts_with(registry::PREFIX);
            return is_address.then(|| Self { text: text.to_owned(), word, path: PathBuf::new(), tag: None });
        }
        if engine::WORDS.contains(&word) {
            return (!rest.is_empty()).then(|| Self { text: text.to_owned(), word, path: PathBuf::new(), tag: None });
        }
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) if !tag.is_empty() => (path, Some(tag.to_owned())),
            Some((path, _)) => (path, None),
            None => (rest, None),
        };
        (!path.is_empty()).then(|| Self { text: text.to_owned(), word, path: PathBuf::from(path), tag })
    }
}

impl Reference {
    /// The name in the local store of an engine, with the transport of the store; `None` for other images.
    ///
    /// # Errors
    /// `bad-argument` for an invalid name.
    pub(crate) fn in_store(&self) -> Result<Option<(&'static str, &str)>, Error> {
        let Some(name) = self.text.strip_prefix(self.word).and_then(|rest| rest.strip_prefix(':')) else {
            return Ok(None);
        };
        if !engine::WORDS.contains(&self.word) {
            return Ok(None);
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        match name.chars().all(is_part) && !name.contains("..") {
            true => Ok(Some((self.word, name))),
            false => {
                Err(Error::new("bad-argument", format!("{} is not the name of an image", show(self.text.as_bytes())))
                    .help(format!("write for example {}:localhost/app:1", self.word)))
            }
        }
    }

    /// The layout or archive; an empty path for a registry.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The address in a registry, if it is one.
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn address(&self) -> Result<Option<Address>, Error> {
        (self.word == "docker").then(|| Address::parse(&self.text)).transpose()
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Run settings of a finished image, from its configuration (OCI image specification, config.md).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunConfig {
    /// Entrypoint.
    pub entrypoint: Vec<String>,
    /// Cmd: arguments of the entrypoint, or the whole command if there is none.
    pub command: Vec<String>,
    /// Env, by name.
    pub env: BTreeMap<String, String>,
    /// WorkingDir; empty means `/`.
    pub workdir: String,
    /// User as written: `NAME|UID[:GROUP|GID]`; empty means root.
    pub user: String,
    /// ExposedPorts.
    pub ports: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Architecture in Go's terms.
    pub architecture: String,
    /// Variant of the architecture.
    pub variant: String,
    /// Volumes.
    pub volumes: Vec<String>,
    /// StopSignal.
    pub stop_signal: String,
    /// Healthcheck, an extension of docker.
    pub healthcheck: Option<Healthcheck>,
    /// The author.
    pub author: String,
    /// Names of other settings that are not empty.
    pub others: Vec<String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// The full name of the image, if it has one.
    pub name: Option<String>,
    /// The digest of its manifest, if it has one.
    pub digest: Option<String>,
    /// Its layers, the lowest first.
    pub layers: Vec<LayerOf>,
}

/// A layer as the image describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerOf {
    /// Its digest; docker's archive states none.
    pub digest: Option<String>,
    /// Its size as stored.
    pub size: u64,
    /// The command that made it, as the history of the image says.
    pub made_by: String,
}

impl RunConfig {
    /// The command that a container starts: entrypoint followed by Cmd.
    pub fn line(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.command).cloned().collect()
    }
}

/// A finished image, unpacked.
pub struct FinishedImage {
    /// Run settings.
    pub run: RunConfig,
    /// Its files, with all layers applied.
    pub tree: Arc<dyn Tree>,
}

/// Options for reading.
pub struct ReadOptions<'a> {
    /// Called with the number of layer bytes done and in total.
    pub progress: &'a dyn Fn(u64, u64),
    /// Polled now and then; true cancels reading.
    pub stop: &'a dyn Fn() -> bool,
    /// Settings for access to registries.
    pub access: &'a Access,
    /// The platform to choose from an index; `None` for that of this machine, or else the first one.
    pub platform: Option<&'a Platform>,
}

/// Maximum number of values in a document of an image.
const MAX_VALUES: usize = 1 << 18;
/// Maximum number of values in a configuration, and its maximum size: each setting is copied to many places.
const MAX_SETTINGS: usize = 1 << 16;
const MAX_CONFIG: usize = 4 << 20;
/// Maximum number of files of an archive whose names are read.
const MAX_NAMES: usize = 1 << 12;

/// The transport of an image in a file or directory: `docker-archive` if it has docker's manifest, `oci-archive` or `oci`
/// if it is an OCI layout (OCI image specification, image-layout.md); `None` if it is not an image.
pub fn transport_of(path: &std::path::Path) -> Option<&'static str> {
    if path.is_dir() {
        return (path.join("oci-layout").is_file() && path.join("index.json").is_file()).then_some("oci");
    }
    let file = std::fs::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    let mut archive = ::tar::Archive::new(file);
    let mut found = None;
    for entry in archive.entries_with_seek().ok()?.take(MAX_NAMES) {
        match entry.ok()?.path_bytes().as_ref() {
            b"manifest.json" | b"./manifest.json" => return Some("docker-archive"),
            b"oci-layout" | b"./oci-layout" => found = Some("oci-archive"),
            _ => {}
        }
    }
    found
}

/// Reads an image: its configuration, and its layers. Files of layers that are not compressed, or with gzip, are read
/// where they lie. A temporary file, which is removed with the tree, has those of other layers, and the compressed
/// layers of a registry.
///
/// # Errors
/// `image-missing`, `bad-image` for an image that is inconsistent or violates the specification, `owner-out-of-range`,
/// `unreadable`, `disk-full` in the temporary directory, `interrupted`; from a registry also its codes.
pub fn read(reference: &Reference, options: &ReadOptions<'_>) -> Result<FinishedImage, Error> {
    let store = Store::open(reference, options)?;
    let found = store.image(reference, options.platform)?;
    let run = run_config(reference, &found.config)?;
    if let Some(wanted) = options.platform {
        platform::refuse_other(reference, wanted, &run.platform)?;
    }
    let mut unpacking = Unpacking::new(reference, options.stop)?;
    let all = found.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
    let mut done = 0_u64;
    // A layer that occurs repeatedly is read once.
    let mut last = HashMap::new();
    for (number, layer) in found.layers.iter().enumerate() {
        last.insert(layer.name.as_str(), number);
    }
    for (number, layer) in found.layers.iter().enumerate() {
        (options.progress)(done, all);
        let expected = run.diff_ids.get(number).map(String::as_str);
        let is_named_again = last.get(layer.name.as_str()).is_some_and(|last| *last > number);
        unpacking.layer(|number| store.layer(layer, number), layer, expected, is_named_again)?;
        done = done.saturating_add(layer.size);
    }
    let layers = layers_of(&found.layers, run.made_by);
    let run =
        RunConfig { annotations: found.annotations, name: found.name, digest: found.digest, layers, ..run.config };
    Ok(FinishedImage { run, tree: Arc::new(unpacking.finish()?) })
}

/// Reads the run settings of an image, and none of its layers.
///
/// # Errors
/// Those of [`read`].
pub fn settings(reference: &Reference, options: &ReadOptions<'_>) -> Result<RunConfig, Error> {
    let found = Store::open(reference, options)?.image(reference, options.platform)?;
    Ok(run_config(reference, &found.config)?.config)
}

/// Combines layers with the image's history. A history of another length is ignored.
fn layers_of(all: &[store::LayerBlob], made_by: Vec<String>) -> Vec<LayerOf> {
    let mut made_by = if made_by.len() == all.len() { made_by } else { Vec::new() }.into_iter();
    let layer = |blob: &store::LayerBlob| LayerOf {
        digest: blob.digest.clone(),
        size: blob.size,
        made_by: made_by.next().unwrap_or_default(),
    };
    all.iter().map(layer).collect()
}

struct Parsed {
    config: RunConfig,
    /// The commands of the history that made layers.
    made_by: Vec<String>,
    platform: Platform,
    diff_ids: Vec<String>,
}

#[derive(Deserialize)]
struct RawImage {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    config: Option<RawConfig>,
    rootfs: Option<RawRootfs>,
    #[serde(default)]
    history: Option<Vec<RawHistory>>,
}

#[derive(Deserialize)]
struct RawHistory {
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    empty_layer: Option<bool>,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// Go writes an empty list as null, so every field may be null.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    labels: Option<BTreeMap<String, String>>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    stop_signal: Option<String>,
    healthcheck: Option<serde_json::Value>,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

/// True for an empty setting, as Go writes it.
fn is_empty(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
    }
}

fn run_config(reference: &Reference, json: &[u8]) -> Result<Parsed, Error> {
    if json.len() > MAX_CONFIG || json_values(json) > MAX_SETTINGS {
        let says = format!("its configuration has more than {MAX_SETTINGS} values or {} MiB", MAX_CONFIG >> 20);
        return Err(too_large(reference, says).help("build the image with fewer labels, variables and other settings"));
    }
    let raw: RawImage = serde_json::from_slice(json).map_err(|error| {
        let place = place_of(&error);
        bad_image(reference, format!("its configuration does not follow config.md: {place}"))
    })?;
    let config = raw.config.unwrap_or_default();
    let pair = |text: &String| {
        text.split_once('=').map_or_else(|| (text.clone(), String::new()), |(k, v)| (k.to_owned(), v.to_owned()))
    };
    let has_check = config.healthcheck.as_ref().is_some_and(|value| !is_empty(value));
    let healthcheck = config.healthcheck.and_then(|value| serde_json::from_value::<Healthcheck>(value).ok());
    let healthcheck = healthcheck.filter(|check| !check.test.is_empty());
    let others = config.others.iter().filter(|(_, value)| !is_empty(value)).map(|(name, _)| name.clone());
    let unknown_check = (has_check && healthcheck.is_none()).then(|| "Healthcheck".to_owned());
    let others = others.chain(unknown_check).collect();
    let variant = raw.variant.unwrap_or_default();
    let makes_layer = |step: &RawHistory| step.empty_layer != Some(true);
    let made_by = raw.history.into_iter().flatten().filter(makes_layer);
    Ok(Parsed {
        made_by: made_by.map(|step| step.created_by.unwrap_or_default()).collect(),
        platform: Platform { architecture: raw.architecture.clone(), os: raw.os, variant: variant.clone() },
        diff_ids: raw.rootfs.map(|rootfs| rootfs.diff_ids).unwrap_or_default(),
        config: RunConfig {
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            env: config.env.iter().flatten().map(pair).collect(),
            workdir: config.working_dir.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            ports: config.exposed_ports.into_iter().flatten().map(|(port, _)| port).collect(),
            labels: config.labels.unwrap_or_default(),
            architecture: raw.architecture,
            variant,
            volumes: config.volumes.into_iter().flatten().map(|(path, _)| path).collect(),
            stop_signal: config.stop_signal.unwrap_or_default(),
            healthcheck,
            author: raw.author.unwrap_or_default(),
            others,
            annotations: BTreeMap::new(),
            name: None,
            digest: None,
            layers: Vec::new(),
        },
    })
}

/// Refuses a document whose values would take too much memory.
fn refuse_many_values(reference: &Reference, document: &[u8]) -> Result<(), Error> {
    match json_values(document) > MAX_VALUES {
        true => Err(bad_image(reference, format!("a document of it has more than {MAX_VALUES} values"))),
        false => Ok(()),
    }
}

fn bad_image(reference: &Reference, says: impl std::fmt::Display) -> Error {
    Error::new("bad-image", format!("{reference}: {says}")).help("pull or build the image again, and save it again")
}

/// The error for an image that is larger than what is kept in memory of it.
fn too_large(reference: &Reference, says: impl std::fmt::Display) -> Error {
    Error::new("image-too-large", format!("{reference}: {says}"))
        .help("unpack it, and pack the directory: a directory has no such limit")
}

/// The error for an archive. Neither `what` nor a [`Fault`] contains text from the image.
fn bad_archive(reference: &Reference, what: &str, fault: Fault) -> Error {
    match fault {
        // A registry's reader has its own errors.
        Fault::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => {
            let inner = error.into_inner().and_then(|inner| inner.downcast::<Error>().ok());
            inner.map_or_else(|| bad_image(reference, format!("{what} is broken")), |error| *error)
        }
        Fault::Io(error) => bad_image(reference, format!("{what} is broken")).because(error),
        Fault::Says(why) => bad_image(reference, format!("{what} is not read: {why}")),
        Fault::Owner => {
            let says = format!(
                "{reference}: {what} has a file whose owner or group is not a number from 0 to \
                                4294967294"
            );
            Error::new("owner-out-of-range", says).help("give the file another owner where the image is built")
        }
    }
}

/// Describes an error in a document without quoting it, because the file may not be a document at all.
fn place_of(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "a value is of the wrong type",
        serde_json::error::Category::Eof => "it is truncated",
        _ => "it is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// Text from an image, made safe for a message and shortened.
fn shown(text: &str) -> String {
    const MAX: usize = 100;
    match text.char_indices().nth(MAX) {
        Some((cut, _)) => format!("{}…", show(&text.as_bytes()[..cut])),
        None => show(text.as_bytes()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_are_references() {
        let parsed = |text| Reference::parse(text).map(|found| (found.word, found.path, found.tag));
        assert_eq!(parsed("oci:a/b:v1"), Some(("oci", PathBuf::from("a/b"), Some("v1".to_owned()))));
        assert_eq!(
            parsed("docker-archive:x.tar:r.io/a:1"),
            Some(("docker-archive", PathBuf::from("x.tar"), Some("r.io/a:1".to_owned())))
        );
        assert_eq!(parsed("oci-archive:x.tar"), Some(("oci-archive", PathBuf::from("x.tar"), None)));
        assert_eq!(parsed("docker://r/app:1"), Some(("docker", PathBuf::new(), None)));
        for other in ["/a:b", "dir:x", "oci:", "curl", "docker:x"] {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
