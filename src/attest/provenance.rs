//! Build provenance of an image, as a SLSA predicate (slsa.dev/spec/v1.0/provenance), with the facts that slimroot
//! itself knows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::digest::{Digest, HashingWriter};
use crate::error::Error;
use crate::image::canonical;
use crate::ledger::{Ledger, PlanOptions, write_plan};
use crate::sbom::{Distribution, package_url};

/// The type of builds that slimroot does, whose parameters docs/attest.md describes.
const BUILD_TYPE: &str = "https://slimroot.github.io/build/v1";
/// Identifies slimroot, not the machine on which it ran, which only the signer knows.
const BUILDER: &str = "https://slimroot.github.io/slimroot";

/// An input of an image (slsa.dev, ResourceDescriptor).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its digest by the name of the algorithm, in hexadecimal.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<&'static str, String>,
}

impl Input {
    /// A file with its bytes.
    pub fn file(name: String, bytes: &[u8]) -> Self {
        Self { name, uri: None, digest: sha256(&Digest::of(bytes)) }
    }

    /// An image with the digest of its manifest, `sha256:HEX`.
    pub fn image(uri: Option<String>, digest: &str) -> Self {
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest).to_owned();
        Self { name: "root".to_owned(), uri, digest: BTreeMap::from([("sha256", hex)]) }
    }
}

fn sha256(digest: &Digest) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("sha256", digest.hex())])
}

/// The predicate of a planned image: its options, its inputs with digests, each package by its URL, and the digest of
/// its plan, in which every file has a digest. It contains no times, so the same input gives the same bytes.
///
/// # Errors
/// `changed-while-packing`, `unreadable`.
pub fn provenance(ledger: &Ledger<'_>, options: &PlanOptions<'_>, inputs: Vec<Input>) -> Result<Vec<u8>, Error> {
    let mut hasher = HashingWriter::new(std::io::sink());
    write_plan(ledger, options, &mut hasher, &"the plan")?;
    let plan = Input { name: "plan".to_owned(), uri: None, digest: sha256(&hasher.finish().1) };
    let distro = Distribution::of(ledger.root)?;
    let package = |package: &crate::ledger::Package| Input {
        name: package.id.clone(),
        uri: Some(package_url(&package.about, &distro)),
        digest: BTreeMap::new(),
    };
    let dependencies: Vec<Input> = inputs.into_iter().chain(ledger.packages.iter().map(package)).collect();
    let made: Value = json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": options.made_with,
            "internalParameters": { "epoch": ledger.plan.epoch },
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": { "id": BUILDER, "version": { "slimroot": env!("CARGO_PKG_VERSION") } },
            "byproducts": [plan],
        },
    });
    let mut text = canonical(&made);
    text.push(b'\n');
    Ok(text)
}
