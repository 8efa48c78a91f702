//! CycloneDX 1.6 as JSON (ECMA-424, cyclonedx.org/docs/1.6/json).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

use super::inventory::{Component, Inventory};
use super::licence::expression;
use crate::error::Error;
use crate::image::timestamp;
use crate::ledger::Document;
use crate::path::RootPath;

#[derive(Serialize)]
struct Metadata<'a> {
    timestamp: String,
    tools: Tools,
    component: Row<'a>,
}

#[derive(Serialize)]
struct Tools {
    components: [Row<'static>; 1],
}

#[derive(Default, Serialize)]
struct Row<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<Licence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property<'a>>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Licence {
    Expression { expression: String },
    Named { license: Named },
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct Property<'a> {
    name: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    r#ref: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
}

const IMAGE: &str = "image";

pub(super) fn write(of: &Inventory, out: &mut dyn Write, name: &dyn Display) -> Result<(), Error> {
    let mut document = Document::begin(out, name)?;
    document.field("$schema", &"http://cyclonedx.org/schema/bom-1.6.schema.json")?;
    document.field("bomFormat", &"CycloneDX")?;
    document.field("specVersion", &"1.6")?;
    document.field("serialNumber", &format!("urn:uuid:{}", uuid(&of.fingerprint())))?;
    document.field("version", &1)?;
    let tool = Row {
        r#type: "application",
        name: "slimroot".to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        ..Row::default()
    };
    let image = Row { r#type: "container", reference: Some(IMAGE.to_owned()), name: of.name.clone(), ..Row::default() };
    let metadata = Metadata { timestamp: timestamp(of.epoch), tools: Tools { components: [tool] }, component: image };
    document.field("metadata", &metadata)?;
    document.list("components", |add| {
        if !of.distro.id.is_empty() {
            let distro = Row {
                r#type: "operating-system",
                reference: Some("distribution".to_owned()),
                name: of.distro.id.clone(),
                version: &of.distro.version,
                ..Row::default()
            };
            add(distro)?;
        }
        of.components.iter().try_for_each(|component| add(library(of, component)))?;
        of.unowned().into_iter().try_for_each(|path| add(file(of, path)))
    })?;
    let mut needs: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (a, b) in &of.depends {
        needs.entry(*a).or_default().push(of.components[*b].purl.clone());
    }
    document.list("dependencies", |add| {
        let all = of.components.iter().map(|component| component.purl.clone()).collect();
        add(Dependency { r#ref: IMAGE.to_owned(), depends_on: all })?;
        for (number, component) in of.components.iter().enumerate() {
            let depends_on = needs.remove(&number).unwrap_or_default();
            add(Dependency { r#ref: component.purl.clone(), depends_on })?;
        }
        Ok(())
    })?;
    document.end()
}

fn library<'a>(of: &'a Inventory, component: &'a Component) -> Row<'a> {
    let licence = component.licence.as_ref().map(|text| match expression(text) {
        Some(expression) => Licence::Expression { expression },
        None => Licence::Named { license: Named { name: text.clone() } },
    });
    Row {
        r#type: "library",
        reference: Some(component.purl.clone()),
        name: component.name.clone(),
        version: &component.version,
        hashes: Vec::new(),
        licenses: licence.into_iter().collect(),
        cpe: component.cpe.as_deref(),
        purl: Some(&component.purl),
        components: component.files.iter().map(|path| file(of, path)).collect(),
        properties: vec![Property { name: "slimroot:source", value: &component.source }],
    }
}

fn file<'a>(of: &'a Inventory, path: &RootPath) -> Row<'a> {
    let hashes = of.files.get(path).into_iter().flat_map(|hashes| {
        [("SHA-1", &hashes.sha1), ("SHA-256", &hashes.sha256)].map(|(alg, content)| Hash { alg, content })
    });
    Row { r#type: "file", name: path.to_string(), hashes: hashes.collect(), ..Row::default() }
}

/// A UUID of version 8, whose bits are free (RFC 9562, 5.8), from hexadecimal digits.
pub(crate) fn uuid(hex: &str) -> String {
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
