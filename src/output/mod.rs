//! Outputs: destinations of an image. There is one file per transport. Everything is written to temporary files and
//! moved into place at the very end, so that a failed or killed run leaves the previous state.

mod aside;
mod conflict;
mod docker_archive;
mod document;
mod engine;
mod join;
mod layers;
mod layout;
mod leftovers;
mod oci_archive;
mod oci_dir;
mod place;
mod placing;
mod reference;
mod registry;
mod stdout;
mod tar_file;
mod tree;
mod tree_copy;

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::error::Error;
use crate::image::Attachment;
use crate::layer::{Codec, Layer, Part, PassOptions, Tap};
use crate::plan::Plan;
use crate::profile::nearest;
use crate::registry::{Access, Address};
use crate::root::Tree;

pub(crate) use document::Document;
pub use join::{IndexedImage, Member, WrittenIndex, join};

use layers::Finished;
pub(crate) use placing::place_documents;
use placing::put_all;
use reference::Name;

/// Starts an output at a destination.
type Start = for<'a> fn(&Destination, &WriteOptions<'a>) -> Result<Box<dyn Output + 'a>, Error>;

/// A transport: its name, and how to start writing to it.
pub(crate) struct Transport {
    /// The name before the colon.
    word: &'static str,
    /// The kind of reference that may follow the path after a colon.
    naming: Naming,
    /// Starts an output.
    start: Start,
}

/// The names that an image at a destination can have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// None: there is no image, or the colon belongs to the path.
    None,
    /// A bare tag, or a name with or without a tag.
    TagOrName,
    /// A name with or without a tag.
    Name,
}

/// Every transport.
const TRANSPORTS: &[Transport] = &[
    tree::TRANSPORT,
    tar_file::TRANSPORT,
    oci_dir::TRANSPORT,
    oci_archive::TRANSPORT,
    docker_archive::TRANSPORT,
    registry::TRANSPORT,
    engine::DOCKER,
    engine::PODMAN,
];

/// An output being written.
pub(crate) trait Output {
    /// The compression of the layer that it needs; `None` if it needs no layer.
    fn codec(&self) -> Option<Codec>;

    /// True if the image can have several layers.
    fn has_layers(&self) -> bool {
        true
    }

    /// The directory for temporary layers.
    fn staging(&self) -> PathBuf;

    /// The consumer of entries, if it needs them while they are read.
    fn tap(&mut self, _plan: &Plan) -> Option<&mut dyn Tap> {
        None
    }

    /// Fast path for a single output: writes the entries without the shared pass. Returns false if not supported.
    ///
    /// # Errors
    /// As [`write`].
    fn write_directly(&mut self, _tree: &dyn Tree, _plan: &Plan, _options: &PassOptions<'_>) -> Result<bool, Error> {
        Ok(false)
    }

    /// True if written data cannot be taken back.
    fn is_stream(&self) -> bool {
        false
    }

    /// True if the output is placed after all others, because it can hardly be taken back: a tag of a registry.
    fn is_placed_last(&self) -> bool {
        false
    }

    /// Completes the temporary output after all bytes were read.
    ///
    /// # Errors
    /// `output-unwritable`, `disk-full`, `interrupted`.
    fn prepare(&mut self, plan: &Plan, finished: Option<&Finished>, stop: &dyn Fn() -> bool)
    -> Result<Prepared, Error>;

    /// Moves the output into place after all outputs are complete. What it replaces is kept until [`Output::settle`].
    ///
    /// # Errors
    /// `output-unwritable`.
    fn place(&mut self) -> Result<(), Error>;

    /// Restores what was there before `place`, because another output could not be placed. Data in a stream stays.
    ///
    /// # Errors
    /// Any I/O error; the output is then still in place, or what it replaced is at another path.
    fn take_back(&mut self) -> io::Result<()>;

    /// Removes what was replaced, after all outputs are in place; returns notes about deviations from the plan.
    fn settle(self: Box<Self>) -> Vec<String> {
        Vec::new()
    }
}

/// The result of completing an output.
#[derive(Default)]
pub(crate) struct Prepared {
    bytes: u64,
    has_image: bool,
    /// The tag or name of the second image.
    twin: Option<String>,
    notes: Vec<String>,
}

/// The destination of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    text: String,
    word: &'static str,
    path: PathBuf,
    reference: Option<String>,
    address: Option<Address>,
}

impl Destination {
    /// The address in a registry.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// The file or directory; no real path for standard output and registries.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Parses `TRANSPORT:PATH[:REFERENCE]`; a plain path means `dir:`.
    ///
    /// # Errors
    /// `unknown-transport` with the most similar name, `bad-argument` for an empty path and for a name that no engine
    /// accepts.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.starts_with(crate::registry::PREFIX) {
            return registry::destination(text);
        }
        if let Some(destination) = engine::destination(text)? {
            return Ok(destination);
        }
        let known = |word: &str| TRANSPORTS.iter().find(|transport| transport.word == word);
        let (transport, rest) = match text.split_once(':') {
            // Text with a slash before its colon is a path.
            None => (&TRANSPORTS[0], unlike_archive(text)?),
            Some((before, _)) if before.contains('/') => (&TRANSPORTS[0], unlike_archive(text)?),
            // A registry's address begins with two slashes, and was handled before.
            Some((word, rest)) => match known(word).filter(|transport| transport.word != "docker") {
                Some(transport) => (transport, rest),
                None => {
                    let near = nearest(word, TRANSPORTS.iter().map(|transport| transport.word));
                    let slashes = if near == Some("docker") { "//" } else { "" };
                    let near = near.map_or(String::new(), |near| format!("; did you mean {near}:{slashes}?"));
                    return Err(Error::new(
                        "unknown-transport",
                        format!(
                            "slimroot cannot write to the transport \
                                                                        {word}:{near}"
                        ),
                    )
                    .help(
                        "the transports are dir:PATH, tar:FILE, oci:DIR[:TAG], oci-archive:FILE[:TAG], \
                               docker-archive:FILE[:REF], docker://HOST/NAME[:TAG], docker-daemon:NAME[:TAG], \
                               containers-storage:NAME[:TAG]; for a path with a colon write dir:PATH",
                    ));
                }
            },
        };
        let takes_name = transport.naming != Naming::None;
        let (path, reference) = match rest.split_once(':') {
            Some((path, reference)) if takes_name && !reference.is_empty() => (path, Some(reference.to_owned())),
            Some((path, _)) if takes_name => (path, None),
            _ => (rest, None),
        };
        // Recognise every spelling of stdout, because the report must not end up in the archive.
        let path = if path == "/dev/stdout" { "-" } else { path };
        if path.is_empty() {
            return Err(Error::new("bad-argument", format!("the destination {text} has no path"))
                .help("write for example oci:image:latest, or dir:rootfs"));
        }
        if path == "-" && matches!(transport.word, "dir" | "oci") {
            return Err(Error::new(
                "bad-argument",
                format!("{} writes a directory, so stdout cannot be used", transport.word),
            )
            .help("tar:-, oci-archive:- and docker-archive:- write to stdout"));
        }
        if let Some(reference) = &reference {
            reference::check(reference, transport.naming == Naming::Name)?;
        }
        let path = PathBuf::from(path);
        Ok(Self { text: text.to_owned(), word: transport.word, path, reference, address: None })
    }

    /// The same destination with a name for the image, if it has none and can have one.
    ///
    /// # Errors
    /// `bad-argument` for a name that no engine accepts.
    pub fn named(mut self, name: &str) -> Result<Self, Error> {
        let naming = TRANSPORTS.iter().find(|known| known.word == self.word).map(|known| known.naming);
        if let (None, Some(naming @ (Naming::TagOrName | Naming::Name))) = (&self.reference, naming) {
            reference::check(name, naming == Naming::Name)?;
            self.reference = Some(name.to_owned());
            self.text = format!("{}:{name}", self.text);
        }
        Ok(self)
    }

    /// True if the destination has an image configuration, not only files.
    pub fn has_config(&self) -> bool {
        !matches!(self.word, "dir" | "tar")
    }

    /// True if the destination keeps documents that refer to the image.
    pub fn has_referrers(&self) -> bool {
        matches!(self.word, "oci" | "docker")
    }

    /// Refuses a suffix that would make the tag invalid.
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn refuse_suffix(&self, suffix: &str) -> Result<(), Error> {
        let name = match &self.address {
            Some(address) => Some(format!("{}:{}", address.repository(), address.selector())),
            None => self.reference.clone(),
        };
        let is_always_name = !self.has_path() || self.word == "docker-archive";
        match Name::new(name.as_deref()).suffixed(suffix).whole(is_always_name) {
            Some(name) => reference::check(&name, is_always_name),
            None => Ok(()),
        }
    }

    /// True for stdout, which then must not be used for anything else.
    pub fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// True for a file or directory: neither standard output nor a registry nor the store of an engine.
    pub fn has_path(&self) -> bool {
        !self.is_stdout() && !self.path.as_os_str().is_empty()
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Refuses a path without a transport that looks like an archive: it would be a directory.
fn unlike_archive(path: &str) -> Result<&str, Error> {
    const ENDINGS: [&str; 4] = [".tar", ".tgz", ".tar.gz", ".tar.zst"];
    let name = path.rsplit_once("dest=").map_or(path, |(_, name)| name);
    if ENDINGS.iter().any(|ending| name.ends_with(ending)) || path.starts_with("type=") {
        let says = format!("-o {path} has no transport, so it would create a directory");
        return Err(Error::new("bad-argument", says).help(format!(
            "use docker-archive:{name} or oci-archive:{name} for an image, tar:{name} for a plain archive of the files, \
             dir:{name} for a directory"
        )));
    }
    Ok(path)
}

/// Options for writing images.
pub struct WriteOptions<'a> {
    /// The compression of layers. `None` means gzip, or no compression for archives that are meant to be loaded
    /// directly.
    pub codec: Option<Codec>,
    /// True if an existing output is replaced.
    pub force: bool,
    /// The layers of the image; none for a single one.
    pub parts: &'a [Part],
    /// The second image, if there is one.
    pub twin: Option<&'a Twin>,
    /// Settings for access to registries.
    pub access: &'a Access,
    /// Documents that layouts and registries get with the image.
    pub attached: &'a [Attachment],
    /// Options of the pass.
    pub pass: PassOptions<'a>,
}

/// A second image, with all layers of the first and one more.
pub struct Twin {
    /// Suffix that is added to the tag of the first image.
    pub suffix: String,
    /// The entries of its additional layer, and its run settings.
    pub plan: Plan,
}

/// A second image that was written.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WrittenTwin {
    /// Its tag or name.
    pub name: String,
    /// The layer that the first image does not have.
    pub layer: Layer,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the configuration, docker's image ID.
    pub config: Digest,
}

/// A written output.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Written {
    /// The destination as the user wrote it.
    pub destination: String,
    /// True if it went to stdout.
    #[serde(skip)]
    pub is_stdout: bool,
    /// Size of the output.
    pub bytes: u64,
    /// The layer, if the output has exactly one.
    pub layer: Option<Layer>,
    /// All layers, the lowest first, if it has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// Digest of the manifest or index, if the output has one.
    pub manifest: Option<Digest>,
    /// Digest of the configuration, docker's image ID, if the output has one.
    pub config: Option<Digest>,
    /// Digests of the manifests of documents that refer to the image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<Digest>,
    /// The second image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin: Option<WrittenTwin>,
    /// Deviations from the plan.
    pub notes: Vec<String>,
}

impl Written {
    /// An index as an output.
    pub fn of_index(index: &WrittenIndex, destination: &Destination) -> Self {
        Self {
            destination: index.destination.clone(),
            is_stdout: destination.is_stdout(),
            bytes: index.bytes,
            layer: None,
            layers: Vec::new(),
            manifest: Some(index.manifest),
            config: None,
            referrers: Vec::new(),
            twin: None,
            notes: Vec::new(),
        }
    }
}

/// Writes a plan to every destination in one pass, so that each file is read and hashed once.
///
/// # Errors
/// `bad-argument` for destinations that would overwrite each other, `owner-out-of-range`, `output-exists`,
/// `output-unwritable`, `disk-full`, `changed-while-packing`, `unreadable`, `interrupted`. In that case nothing new
/// remains, and the previous state is unchanged.
pub fn write(
    tree: &dyn Tree,
    plan: &Plan,
    destinations: &[Destination],
    options: &WriteOptions<'_>,
) -> Result<Vec<Written>, Error> {
    write_with(tree, plan, destinations, Vec::new(), options)
}

/// As [`write`], with documents that get into place together with the image.
///
/// # Errors
/// As [`write`].
pub(crate) fn write_with(
    tree: &dyn Tree,
    plan: &Plan,
    destinations: &[Destination],
    documents: Vec<Document>,
    options: &WriteOptions<'_>,
) -> Result<Vec<Written>, Error> {
    refuse_owners(plan)?;
    conflict::refuse_same_place(destinations)?;
    options.twin.map_or(Ok(()), |twin| conflict::refuse_twin_tags(destinations, &twin.suffix))?;
    if options.force {
        conflict::refuse_packed(tree, plan, destinations)?;
    }
    let mut left = 0;
    let mut outputs = Vec::new();
    for destination in destinations {
        left += if destination.has_path() { leftovers::sweep(&destination.path) } else { 0 };
        let transport = TRANSPORTS.iter().find(|transport| transport.word == destination.word);
        let transport = transport.ok_or_else(|| Error::new("internal", "a destination without transport"))?;
        outputs.push((transport.start)(destination, options)?);
    }
    let is_direct = match outputs.as_mut_slice() {
        [only] => only.write_directly(tree, plan, &options.pass)?,
        _ => false,
    };
    let finished = if is_direct { Vec::new() } else { layers::write(tree, plan, &mut outputs, options)? };
    put_all(outputs, documents, destinations, (plan, &finished), options.pass.stop)
        .map(|written| with_sweep_note(written, left))
}

/// Adds a note about swept files.
fn with_sweep_note(mut written: Vec<Written>, left: usize) -> Vec<Written> {
    if let Some(first) = written.first_mut().filter(|_| left > 0) {
        first.notes.push(format!("removed {left} files or directories that a killed run had left next to the output"));
    }
    written
}

/// Refuses IDs that chown(2) interprets as "unchanged".
///
/// # Errors
/// `owner-out-of-range`.
fn refuse_owners(plan: &Plan) -> Result<(), Error> {
    match plan.items.iter().find(|(_, item)| item.uid == u32::MAX || item.gid == u32::MAX) {
        Some((path, _)) => Err(Error::new("owner-out-of-range", format!("{path} has an invalid owner or group"))
            .help("give it another owner in the root; the largest number is 4294967294")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(&'static str, String, Option<String>), &'static str> {
        Destination::parse(text)
            .map(|found| (found.word, found.path.display().to_string(), found.reference))
            .map_err(|error| error.code)
    }

    #[test]
    fn destinations_use_the_words_of_skopeo() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parsed("out"), Ok(("dir", "out".into(), None)));
        assert_eq!(parsed("./a:b"), Ok(("dir", "./a:b".into(), None)));
        assert_eq!(parsed("dir:a:b"), Ok(("dir", "a:b".into(), None)));
        assert_eq!(parsed("tar:-"), Ok(("tar", "-".into(), None)));
        assert_eq!(parsed("tar:/dev/stdout"), Ok(("tar", "-".into(), None)));
        assert_eq!(parsed("oci:img"), Ok(("oci", "img".into(), None)));
        assert_eq!(parsed("oci:img:v1"), Ok(("oci", "img".into(), some("v1"))));
        assert_eq!(
            parsed("oci-archive:a.tar:localhost/x:1"),
            Ok(("oci-archive", "a.tar".into(), some("localhost/x:1")))
        );
        assert_eq!(parsed("docker:x"), Err("unknown-transport"));
        assert_eq!(parsed("oci:"), Err("bad-argument"));
        assert_eq!(parsed("oci:-"), Err("bad-argument"));
        assert_eq!(parsed("oci:img:App"), Ok(("oci", "img".into(), some("App"))));
        assert_eq!(parsed("docker-archive:a.tar:App"), Err("bad-argument"));
    }
}
