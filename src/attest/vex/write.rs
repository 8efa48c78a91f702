//! VEX documents: OpenVEX 0.2.0 (github.com/openvex/spec) and CycloneDX 1.6 (ECMA-424, "vulnerabilities").

use std::fmt::Display;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::{Because, Given, Stated};
use crate::digest::Digest;
use crate::error::Error;
use crate::image::timestamp;
use crate::ledger::Document;
use crate::sbom::uuid;

/// A format of VEX documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VexFormat {
    /// OpenVEX 0.2.0.
    OpenVex,
    /// CycloneDX 1.6 as JSON.
    CycloneDx,
}

/// Metadata of a document and of its image.
#[derive(Clone, Debug, Default)]
pub struct VexAbout {
    /// The name of the image.
    pub name: String,
    /// The names under which scanners know the image, as IRIs.
    pub products: Vec<String>,
    /// Author of the statements.
    pub author: String,
    /// Seconds since 1970.
    pub epoch: u64,
}

/// Writes a document with statements, after those of a given one. The same input gives the same bytes.
///
/// # Errors
/// `bad-argument` for a given document of the other format, `nothing-stated` for a document of OpenVEX without
/// statements, which its schema forbids; `output-unwritable`, `disk-full`.
pub fn write(
    format: VexFormat,
    about: &VexAbout,
    stated: &[Stated],
    given: Option<&Given>,
    out: &mut dyn Write,
    name: &dyn Display,
) -> Result<(), Error> {
    if given.is_some_and(|given| given.format != format) {
        return Err(Error::new("bad-argument", "the document to merge has another format than --format")
            .help("give --format the format of the document to merge"));
    }
    let new: Vec<&Stated> = stated.iter().filter(|one| !given.is_some_and(|given| given.decides(one))).collect();
    match format {
        VexFormat::OpenVex => open(about, &new, given, out, name),
        VexFormat::CycloneDx => cyclonedx(about, &new, given, out, name),
    }
}

fn open(
    about: &VexAbout,
    new: &[&Stated],
    given: Option<&Given>,
    out: &mut dyn Write,
    name: &dyn Display,
) -> Result<(), Error> {
    let product = |id: &String, component: &str| json!({ "@id": id, "subcomponents": [{ "@id": component }] });
    let statement = |one: &&Stated| {
        let products: Vec<Value> = about.products.iter().map(|id| product(id, &one.component)).collect();
        json!({
            "vulnerability": { "name": one.vulnerability },
            "products": products,
            "status": "not_affected",
            "justification": match one.because {
                Because::ComponentAbsent => "component_not_present",
                Because::CodeAbsent => "vulnerable_code_not_present",
            },
            "status_notes": one.proof,
        })
    };
    let mut rows: Vec<Value> = Vec::new();
    for row in given.iter().flat_map(|given| given.rows().iter().map(|row| dated(row, &given.document))) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows.extend(new.iter().map(statement));
    if rows.is_empty() {
        return Err(Error::new("nothing-stated", "the files of the image prove nothing about these vulnerabilities")
            .help("--format cyclonedx writes a document without statements"));
    }
    let time = timestamp(about.epoch);
    let id = fingerprint(&json!([about.products, about.author, time, rows]));
    let mut document = Document::begin(out, name)?;
    document.field("@context", &"https://openvex.dev/ns/v0.2.0")?;
    document.field("@id", &format!("https://slimroot.github.io/vex/{id}"))?;
    document.field("author", &about.author)?;
    document.field("timestamp", &time)?;
    document.field("version", &1)?;
    document.field("tooling", &concat!("slimroot ", env!("CARGO_PKG_VERSION")))?;
    document.rows("statements", &rows)?;
    document.end()
}

/// A statement with the time of its document, which would be lost in another document.
fn dated(row: &Value, document: &Value) -> Value {
    let mut row = row.clone();
    if let (Some(fields), Some(time)) = (row.as_object_mut(), document.get("timestamp")) {
        fields.entry("timestamp").or_insert_with(|| time.clone());
    }
    row
}

fn cyclonedx(
    about: &VexAbout,
    new: &[&Stated],
    given: Option<&Given>,
    out: &mut dyn Write,
    name: &dyn Display,
) -> Result<(), Error> {
    let old = given.map(|given| &given.document);
    let field = |key: &str| old.and_then(|old| old.get(key)).cloned();
    // Statements of the given document refer to its components.
    let own = || json!({ "type": "container", "bom-ref": "image", "name": about.name });
    let mut image = old.and_then(|old| old.get("metadata")?.get("component")).cloned().unwrap_or_else(own);
    if let Some(fields) = image.as_object_mut() {
        fields.entry("bom-ref").or_insert_with(|| json!("image"));
    }
    let reference = image["bom-ref"].clone();
    let vulnerability = |one: &&Stated| {
        json!({
            "id": one.vulnerability,
            "analysis": { "state": "not_affected", "justification": "code_not_present", "detail": one.proof },
            "affects": [{ "ref": reference }],
            "properties": [{ "name": "slimroot:component", "value": one.component }],
        })
    };
    let mut rows: Vec<Value> = given.map(|given| given.rows().to_vec()).unwrap_or_default();
    rows.extend(new.iter().map(vulnerability));
    let time = timestamp(about.epoch);
    let id = uuid(&fingerprint(&json!([image, time, rows])));
    let mut metadata = Map::new();
    metadata.insert("timestamp".to_owned(), json!(time));
    let tool = json!({ "type": "application", "name": "slimroot", "version": env!("CARGO_PKG_VERSION") });
    metadata.insert("tools".to_owned(), json!({ "components": [tool] }));
    metadata.insert("authors".to_owned(), json!([{ "name": about.author }]));
    metadata.insert("component".to_owned(), image);
    let mut document = Document::begin(out, name)?;
    document.field("$schema", &"http://cyclonedx.org/schema/bom-1.6.schema.json")?;
    document.field("bomFormat", &"CycloneDX")?;
    document.field("specVersion", &"1.6")?;
    document.field("serialNumber", &format!("urn:uuid:{id}"))?;
    document.field("version", &1)?;
    document.field("metadata", &metadata)?;
    if let Some(components) = field("components") {
        document.field("components", &components)?;
    }
    document.rows("vulnerabilities", &rows)?;
    document.end()
}

fn fingerprint(of: &Value) -> String {
    Digest::of(of.to_string().as_bytes()).hex()
}
