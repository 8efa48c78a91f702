//! SPDX 2.3 as JSON (spdx.github.io/spdx-spec/v2.3).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::Write;

use serde::Serialize;
use sha1::Digest as _;

use super::inventory::{Component, Inventory};
use super::licence::expression;
use crate::error::Error;
use crate::image::timestamp;
use crate::ledger::Document;
use crate::path::RootPath;

const NONE: &str = "NOASSERTION";
const IMAGE: &str = "SPDXRef-Image";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    #[serde(rename = "SPDXID")]
    id: String,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version_info: &'a str,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    package_verification_code: Option<Code>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<Reference<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Code {
    package_verification_code_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reference<'a> {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(rename = "SPDXID")]
    id: String,
    file_name: String,
    checksums: [Checksum<'a>; 2],
    license_concluded: &'static str,
    copyright_text: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum<'a> {
    algorithm: &'static str,
    checksum_value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relation {
    spdx_element_id: String,
    related_spdx_element: String,
    relationship_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extracted {
    license_id: String,
    extracted_text: String,
    name: String,
}

#[derive(Serialize)]
struct Creation {
    created: String,
    creators: [String; 1],
}

pub(super) fn write(of: &Inventory, out: &mut dyn Write, name: &dyn Display) -> Result<(), Error> {
    let numbers: BTreeMap<&RootPath, usize> =
        of.files.keys().enumerate().map(|(number, path)| (path, number)).collect();
    let file = |path: &RootPath| format!("SPDXRef-File-{}", numbers.get(path).copied().unwrap_or_default());
    let package = |number: usize| format!("SPDXRef-Package-{number}");
    let mut texts = BTreeMap::new();
    for component in &of.components {
        if let Some(text) = component.licence.as_ref().filter(|text| expression(text).is_none()) {
            let next = texts.len();
            texts.entry(text.clone()).or_insert_with(|| format!("LicenseRef-{next}"));
        }
    }
    let unowned: BTreeSet<RootPath> = of.unowned().into_iter().cloned().collect();
    let mut document = Document::begin(out, name)?;
    document.field("spdxVersion", &"SPDX-2.3")?;
    document.field("dataLicense", &"CC0-1.0")?;
    document.field("SPDXID", &"SPDXRef-DOCUMENT")?;
    document.field("name", &of.name)?;
    document.field("documentNamespace", &format!("https://slimroot.github.io/spdx/{}", of.fingerprint()))?;
    let creators = [concat!("Tool: slimroot-", env!("CARGO_PKG_VERSION")).to_owned()];
    document.field("creationInfo", &Creation { created: timestamp(of.epoch), creators })?;
    let image = Package {
        id: IMAGE.to_owned(),
        name: &of.name,
        version_info: "",
        download_location: NONE,
        files_analyzed: !unowned.is_empty(),
        package_verification_code: code(of, &unowned),
        license_concluded: NONE,
        license_declared: NONE.to_owned(),
        copyright_text: NONE,
        source_info: None,
        primary_package_purpose: Some("CONTAINER"),
        external_refs: Vec::new(),
    };
    let described = |(number, component)| of_component(of, package(number), component, &texts);
    let packages = std::iter::once(image).chain(of.components.iter().enumerate().map(described));
    document.rows("packages", &packages.collect::<Vec<_>>())?;
    document.list("files", |add| {
        of.files.iter().try_for_each(|(path, hashes)| {
            add(File {
                id: file(path),
                file_name: format!(".{path}"),
                checksums: [
                    Checksum { algorithm: "SHA1", checksum_value: &hashes.sha1 },
                    Checksum { algorithm: "SHA256", checksum_value: &hashes.sha256 },
                ],
                license_concluded: NONE,
                copyright_text: NONE,
            })
        })
    })?;
    if !texts.is_empty() {
        let row = |(text, id): (&String, &String)| Extracted {
            license_id: id.clone(),
            extracted_text: text.clone(),
            name: text.lines().next().unwrap_or_default().chars().take(100).collect(),
        };
        document.rows("hasExtractedLicensingInfos", &texts.iter().map(row).collect::<Vec<_>>())?;
    }
    document.list("relationships", |add| {
        let mut relate = |from: String, kind: &'static str, to: String| {
            add(Relation { spdx_element_id: from, related_spdx_element: to, relationship_type: kind })
        };
        relate("SPDXRef-DOCUMENT".to_owned(), "DESCRIBES", IMAGE.to_owned())?;
        unowned.iter().try_for_each(|path| relate(IMAGE.to_owned(), "CONTAINS", file(path)))?;
        for (number, component) in of.components.iter().enumerate() {
            relate(IMAGE.to_owned(), "CONTAINS", package(number))?;
            component.files.iter().try_for_each(|path| relate(package(number), "CONTAINS", file(path)))?;
        }
        of.depends.iter().try_for_each(|(a, b)| relate(package(*a), "DEPENDS_ON", package(*b)))?;
        of.links.iter().try_for_each(|(a, b)| relate(file(a), "DYNAMIC_LINK", file(b)))
    })?;
    document.end()
}

fn of_component<'a>(
    of: &Inventory,
    id: String,
    component: &'a Component,
    texts: &BTreeMap<String, String>,
) -> Package<'a> {
    let licence = component.licence.as_ref().and_then(|text| expression(text).or_else(|| texts.get(text).cloned()));
    let purl =
        Reference { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: &component.purl };
    let cpe = component.cpe.as_deref().map(|cpe| Reference {
        reference_category: "SECURITY",
        reference_type: "cpe23Type",
        reference_locator: cpe,
    });
    Package {
        id,
        name: &component.name,
        version_info: &component.version,
        download_location: NONE,
        files_analyzed: !component.files.is_empty(),
        package_verification_code: code(of, &component.files),
        license_concluded: NONE,
        license_declared: licence.unwrap_or_else(|| NONE.to_owned()),
        copyright_text: NONE,
        source_info: Some(&component.source),
        primary_package_purpose: None,
        external_refs: cpe.into_iter().chain([purl]).collect(),
    }
}

/// The verification code of files: the digest of their sorted digests (section 7.9); `None` without files.
fn code(of: &Inventory, files: &BTreeSet<RootPath>) -> Option<Code> {
    let mut all: Vec<&str> = files.iter().filter_map(|path| Some(of.files.get(path)?.sha1.as_str())).collect();
    if all.is_empty() {
        return None;
    }
    all.sort_unstable();
    let value = sha1::Sha1::digest(all.concat().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Code { package_verification_code_value: value })
}
