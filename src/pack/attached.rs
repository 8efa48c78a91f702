//! Documents attached to an image: files in it, and referrers of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::PackRequest;
use super::documents::plan_options;
use crate::attest::{Input, PROVENANCE, predicate_type, provenance};
use crate::closure::Request;
use crate::error::Error;
use crate::image::Attachment;
use crate::image_reader::Reference;
use crate::ledger::Ledger;
use crate::output::Destination;
use crate::path::{RootPath, show};
use crate::plan::{Content, Item, ItemKind, Plan};
use crate::sbom::{self, Format, Inventory};

/// Directory of inventories in an image.
const SBOM_DIR: &str = "/usr/share/sbom";
/// Annotations with the name and the digest of the input image.
const BASE: [&str; 2] = ["org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];
/// The prefix of documents in a statement.
const IN_TOTO: &str = "in-toto:";
/// Maximum size of an input whose digest is stated.
const MAX_INPUT: u64 = 1 << 30;

/// A document that layouts and registries get with the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// An inventory, plain or in an in-toto statement.
    Sbom {
        /// Its format.
        format: Format,
        /// True for a statement.
        is_statement: bool,
    },
    /// A statement about how the image was made.
    Provenance,
}

impl Attach {
    /// The document with this name: `spdx-json`, `cyclonedx-json`, either with the prefix `in-toto:`, or `provenance`.
    ///
    /// # Errors
    /// `bad-argument`.
    pub fn parse(name: &str) -> Result<Self, Error> {
        if name == "provenance" {
            return Ok(Self::Provenance);
        }
        let (is_statement, format) = name.strip_prefix(IN_TOTO).map_or((false, name), |format| (true, format));
        match Format::parse(format) {
            Ok(format) => Ok(Self::Sbom { format, is_statement }),
            Err(_) => {
                Err(Error::new("bad-argument", format!("--attach {name} is not a document that slimroot can make"))
                    .help("use spdx-json, cyclonedx-json, in-toto:spdx-json, in-toto:cyclonedx-json or provenance"))
            }
        }
    }
}

/// The name of an image: that of its entry.
pub(super) fn name_of(request: &PackRequest) -> &str {
    let line = if request.entry.is_empty() { request.command.as_deref().unwrap_or_default() } else { &request.entry };
    let entry = line.first().map(String::as_str).unwrap_or_default();
    entry.rsplit('/').next().unwrap_or(entry)
}

/// Refuses documents if no destination can keep them.
///
/// # Errors
/// `bad-argument`.
pub(super) fn refuse_without_place(request: &PackRequest, destinations: &[Destination]) -> Result<(), Error> {
    let has_place = request.dry_run || destinations.iter().any(Destination::has_referrers);
    match request.documents.attach.is_empty() || has_place {
        true => Ok(()),
        false => Err(Error::new("bad-argument", "--attach needs a destination that keeps documents beside an image")
            .help("use -o oci:DIR:TAG or -o docker://HOST/NAME:TAG; --sbom writes a file, --sbom-inside packs one")),
    }
}

/// The plan with the inventories that are packed. They list everything except themselves.
///
/// # Errors
/// `bad-argument` if there is a file at the path of the directory, and those of reading.
pub(super) fn with_inside(request: &PackRequest, ledger: &Ledger<'_>) -> Result<Plan, Error> {
    let name = name_of(request);
    let inventory = Inventory::of_ledger(name, ledger)?;
    let mut plan = ledger.plan.clone();
    for format in &request.documents.sbom_inside {
        let text = written(*format, &inventory)?;
        let file = format!("{SBOM_DIR}/{name}.{}", format.ending());
        let path =
            RootPath::new(&file).filter(|path| path.parent().is_some_and(|dir| dir.as_bytes() == SBOM_DIR.as_bytes()));
        let path = path.ok_or_else(|| {
            Error::new("bad-argument", format!("--sbom-inside: {} is not a file name", show(name.as_bytes())))
        })?;
        put(&mut plan, path, text)?;
    }
    Ok(plan)
}

/// Adds a file with the directories above it.
fn put(plan: &mut Plan, path: RootPath, text: Vec<u8>) -> Result<(), Error> {
    let items = Arc::make_mut(&mut plan.items);
    let item = |kind, mode| Item { kind, mode, uid: 0, gid: 0, xattrs: Vec::new() };
    let mut above = path.parent();
    while let Some(dir) = above.filter(|dir| !dir.is_root()) {
        let there = items.get(&dir).map(|there| there.kind == ItemKind::Dir);
        if there.is_none() {
            items.insert(dir.clone(), item(ItemKind::Dir, 0o755));
        }
        if there == Some(false) {
            let says = format!("--sbom-inside: {dir} in the image is not a directory");
            return Err(Error::new("bad-argument", says).help("write the inventory to a file with --sbom"));
        }
        above = dir.parent();
    }
    items.insert(path, item(ItemKind::File(Content::Made(text.into())), 0o644));
    Ok(())
}

/// An inventory as text.
fn written(format: Format, inventory: &Inventory) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    sbom::write(format, inventory, &mut text, &"an inventory")?;
    Ok(text)
}

/// The documents to attach. `inventory` is made if it is needed.
///
/// # Errors
/// Those of reading.
pub(super) fn attachments(
    request: &PackRequest,
    wanted: &Request,
    ledger: &Ledger<'_>,
    inventory: &mut dyn FnMut() -> Result<Arc<Inventory>, Error>,
) -> Result<Vec<Attachment>, Error> {
    let name = name_of(request).to_owned();
    let one = |attach: &Attach| match attach {
        Attach::Sbom { format, is_statement } => Ok(Attachment {
            name: name.clone(),
            media_type: format.media_type().to_owned(),
            predicate: is_statement.then(|| predicate_type(*format).to_owned()),
            document: written(*format, &*inventory()?)?,
        }),
        Attach::Provenance => Ok(Attachment {
            name: name.clone(),
            media_type: "application/json".to_owned(),
            predicate: Some(PROVENANCE.to_owned()),
            document: of_request(request, wanted, ledger)?,
        }),
    };
    request.documents.attach.iter().map(one).collect()
}

/// Returns the provenance of the image of a request.
///
/// # Errors
/// `unreadable`, `changed-while-packing`.
pub(super) fn of_request(request: &PackRequest, wanted: &Request, ledger: &Ledger<'_>) -> Result<Vec<u8>, Error> {
    let mut inputs = Vec::new();
    let [name, digest] = BASE.map(|key| request.annotations.get(key).cloned());
    if let (Some(_), Some(digest)) = (request.root.to_str().and_then(Reference::parse), digest) {
        inputs.push(Input::image(name, &digest));
    }
    let is_file = |text: &&String| text.contains('/');
    let profiles = request.profiles.iter().filter(is_file).map(PathBuf::from);
    let files: Vec<PathBuf> = profiles.chain(request.ca.iter().chain(&request.traces).cloned()).collect();
    for file in files {
        inputs.push(Input::file(file_name(&file), &bytes(&file)?));
    }
    provenance(ledger, &plan_options(request, wanted), inputs)
}

fn file_name(path: &Path) -> String {
    show(path.file_name().unwrap_or_default().as_encoded_bytes()).into_owned()
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let unreadable = |error| Error::unreadable(&path.display(), error);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(unreadable)?.take(MAX_INPUT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}
