//! Packages of languages, from the metadata that their package managers leave in an image.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::inventory::{Component, Hashes};
use super::java;
use crate::error::Error;
use crate::language::json;
use crate::loader::Objects;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Root};

/// Maximum size of a file of metadata.
const MAX_METADATA: usize = 16 << 20;
/// Length of the mark of ELF files.
const MARK: &[u8] = b"\x7fELF";

/// The files of an image.
type Files = BTreeMap<RootPath, Hashes>;

/// All packages of languages among the files of an image. Metadata that cannot be parsed is skipped.
///
/// # Errors
/// `unreadable`.
pub(super) fn found(root: &Root, files: &Files) -> Result<Vec<Component>, Error> {
    let mut all = Vec::new();
    let objects = Objects::new(root);
    for path in files.keys() {
        let name = path.name();
        let parent = path.parent();
        let above = parent.as_ref().map(RootPath::name).unwrap_or_default();
        let text = || root.read(path, MAX_METADATA);
        let shown = |of: &str| format!("{of} {path}");
        let is_python = name == b"METADATA" && above.ends_with(b".dist-info")
            || name == b"PKG-INFO" && above.ends_with(b".egg-info")
            || name.ends_with(b".egg-info");
        if is_python {
            let record = recorded(root, path)?;
            all.extend(python(&text()?, path, files, record.as_deref(), shown("the metadata")));
        } else if name == b"package.json" {
            let manifest = json::read(root, path, &text()?);
            all.extend(manifest.and_then(|manifest| node(manifest, path, files, shown("the manifest"))));
        } else if name.ends_with(b".gemspec") && above == b"specifications"
            || name.ends_with(b".gemspec")
                && parent.as_ref().and_then(RootPath::parent).is_some_and(|dir| dir.name() == b"specifications")
        {
            all.extend(ruby(path, files, shown("the specification")));
        } else if name == b"installed.json" && above == b"composer" {
            let list = json::read(root, path, &text()?);
            all.extend(list.map_or_else(Vec::new, |list| php(&list, path, files, &shown("the list"))));
        } else if name == b"install.json" && path.as_bytes().windows(7).any(|part| part == b"/.meta/") {
            let record = json::read(root, path, &text()?);
            all.extend(record.and_then(|record| perl(&record, path, shown("the record"))));
        } else if name.ends_with(b".deps.json") {
            let list = json::read(root, path, &text()?);
            all.extend(list.map_or_else(Vec::new, |list| dotnet(&list, path, files, &shown("the list"))));
        } else if [&b".jar"[..], b".war", b".ear", b".jmod"].iter().any(|end| name.ends_with(end)) {
            all.extend(java::found(root, path)?);
        } else if root.head(path, MARK.len())? == MARK {
            all.extend(built(&objects, path)?);
        }
    }
    Ok(all)
}

/// Files below a directory.
fn below<'f>(dir: &'f RootPath, files: &'f Files) -> impl Iterator<Item = &'f RootPath> {
    files.range(dir.clone()..).map(|(path, _)| path).take_while(|path| path.is_within(dir))
}

/// The first value of a header field of a message (RFC 822), as Python's metadata are.
fn header<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let head = text.split("\n\n").next().unwrap_or_default();
    let line = head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.map(str::trim).filter(|value| !value.is_empty() && *value != "UNKNOWN")
}

/// Core metadata of Python (packaging.python.org, "Core metadata specifications"). Names are compared without case and
/// with one kind of separator (PEP 503).
fn python(text: &[u8], path: &RootPath, files: &Files, record: Option<&[u8]>, source: String) -> Option<Component> {
    let text = String::from_utf8_lossy(text).replace("\r\n", "\n");
    let (name, version) = (header(&text, "Name")?, header(&text, "Version")?);
    let normal: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    let mut found = Component::new("pypi", &[], &normal.join("-").to_lowercase(), version, source);
    found.name = name.to_owned();
    found.licence = header(&text, "License-Expression").or_else(|| header(&text, "License")).map(str::to_owned);
    let info = path.parent()?;
    if info.name().ends_with(b"-info") {
        found.files.extend(below(&info, files).cloned());
    }
    found.files.insert(path.clone());
    let top = info.parent()?;
    if let Some(record) = record {
        let all = String::from_utf8_lossy(record);
        found
            .files
            .extend(all.lines().filter_map(|line| record_path(&top, line)).filter(|file| files.contains_key(file)));
        found.has_all_files = true;
    }
    // Without a record, only directories with its name are known to belong to it.
    for module in [normal.join("_"), normal.join("_").to_lowercase()] {
        found.files.extend(below(&top.join(module.as_bytes()), files).cloned());
    }
    Some(found)
}

/// The record of installed files beside Python's metadata (packaging.python.org, "Recording installed projects"), if it
/// exists and is not empty.
fn recorded(root: &Root, metadata: &RootPath) -> Result<Option<Vec<u8>>, Error> {
    let Some(info) = metadata.parent().filter(|info| info.name().ends_with(b".dist-info")) else { return Ok(None) };
    let place = info.join(b"RECORD");
    if root.tree().meta(&place)?.is_none_or(|meta| meta.kind != FileKind::File || meta.size >= MAX_METADATA as u64) {
        return Ok(None);
    }
    Ok(Some(root.read(&place, MAX_METADATA)?).filter(|text| !text.is_empty()))
}

/// The path in a line of a record: `PATH,HASH,SIZE`, relative to the directory of the packages.
fn record_path(top: &RootPath, line: &str) -> Option<RootPath> {
    let path = line.rsplitn(3, ',').nth(2)?;
    let path = path
        .strip_prefix('"')
        .and_then(|path| path.strip_suffix('"'))
        .map_or(path.to_owned(), |path| path.replace("\"\"", "\""));
    if path.starts_with('/') {
        return RootPath::new(path);
    }
    path.split('/').try_fold(top.clone(), |dir, part| match part {
        "" | "." => Some(dir),
        ".." => dir.parent(),
        part => Some(dir.join(part.as_bytes())),
    })
}

#[derive(Deserialize)]
struct Manifest {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    license: serde_json::Value,
}

/// A manifest of npm (docs.npmjs.com, "package.json").
fn node(manifest: Manifest, path: &RootPath, files: &Files, source: String) -> Option<Component> {
    let (name, version) = (manifest.name.filter(|name| !name.is_empty())?, manifest.version.filter(|v| !v.is_empty())?);
    let (scope, short) = match name.split_once('/') {
        Some((scope, short)) if scope.starts_with('@') => (scope, short),
        _ => ("", name.as_str()),
    };
    let mut found = Component::new("npm", &[scope], short, &version, source);
    found.licence = match &manifest.license {
        serde_json::Value::String(text) => Some(text.clone()),
        other => other.get("type").and_then(serde_json::Value::as_str).map(str::to_owned),
    };
    let home = path.parent()?;
    let nested = home.join(b"node_modules");
    found.files.extend(below(&home, files).filter(|file| !file.is_within(&nested)).cloned());
    found.has_all_files = true;
    found.name = name;
    Some(found)
}

/// A gem, by the name of its specification: NAME-VERSION[-PLATFORM].gemspec.
fn ruby(path: &RootPath, files: &Files, source: String) -> Option<Component> {
    let stem = String::from_utf8_lossy(path.name().strip_suffix(b".gemspec")?).into_owned();
    let at =
        stem.char_indices().find(|(at, c)| *c == '-' && stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?.0;
    let (name, version) = (&stem[..at], stem[at + 1..].split('-').next().unwrap_or_default());
    let mut found = Component::new("gem", &[], name, version, source);
    found.files.insert(path.clone());
    let mut home = path.parent()?;
    while home.name() != b"specifications" {
        home = home.parent()?;
    }
    let gem = home.parent()?.join(b"gems").join(stem.as_bytes());
    found.files.extend(below(&gem, files).cloned());
    Some(found)
}

/// The list of composer: `{"packages": [...]}`, or the bare list of its first version.
fn php(value: &serde_json::Value, path: &RootPath, files: &Files, source: &str) -> Vec<Component> {
    let rows = value.get("packages").unwrap_or(value).as_array();
    let one = |row: &serde_json::Value| {
        let field = |key: &str| row.get(key).and_then(serde_json::Value::as_str);
        let (vendor, name) = field("name")?.split_once('/')?;
        let mut found = Component::new("composer", &[vendor], name, field("version")?, source.to_owned());
        found.name = format!("{vendor}/{name}");
        let licences = row.get("license").and_then(serde_json::Value::as_array).into_iter().flatten();
        let licences: Vec<&str> = licences.filter_map(serde_json::Value::as_str).collect();
        found.licence = (!licences.is_empty()).then(|| licences.join(" OR "));
        let home = path.parent()?.parent()?.join(vendor.as_bytes()).join(name.as_bytes());
        found.files.extend(below(&home, files).cloned());
        Some(found)
    };
    rows.into_iter().flatten().filter_map(one).collect()
}

/// Reads the record of cpanm about a distribution: its name and version as in CPAN's metadata.
fn perl(value: &serde_json::Value, path: &RootPath, source: String) -> Option<Component> {
    let field = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
    let name = field("dist").and_then(|dist| dist.rsplit_once('-')).map_or(field("name")?, |(name, _)| name);
    let mut found = Component::new("cpan", &[], &name.replace("::", "-"), field("version")?, source);
    found.files.insert(path.clone());
    Some(found)
}

#[derive(Deserialize)]
struct Dependencies {
    #[serde(default)]
    libraries: BTreeMap<String, Library>,
}

#[derive(Deserialize)]
struct Library {
    r#type: String,
}

/// The dependencies of a program of .NET: `NAME/VERSION` (dotnet/sdk, documentation/specs/runtime-configuration-file.md).
fn dotnet(listed: &Dependencies, path: &RootPath, files: &Files, source: &str) -> Vec<Component> {
    let packages = listed.libraries.iter().filter(|(_, library)| library.r#type == "package");
    let one = |(id, _): (&String, &Library)| {
        let (name, version) = id.split_once('/')?;
        let mut found = Component::new("nuget", &[], name, version, source.to_owned());
        let assembly = path.parent()?.join(format!("{name}.dll").as_bytes());
        found.files.extend(files.contains_key(&assembly).then_some(assembly));
        Some(found)
    };
    packages.filter_map(one).collect()
}

/// Modules of Go programs, and crates of programs built with cargo-auditable.
fn built(objects: &Objects<'_>, path: &RootPath) -> Result<Vec<Component>, Error> {
    let Some(info) = objects.build_info(path)? else { return Ok(Vec::new()) };
    let source = format!("the build information of {}", show(path.as_bytes()));
    let mut all = Vec::new();
    let mut add = |mut component: Component| {
        component.files.insert(path.clone());
        component.has_all_files = true;
        all.push(component);
    };
    for (name, version) in &info.modules {
        let parts: Vec<&str> = name.split('/').collect();
        let Some((short, above)) = parts.split_last() else { continue };
        let mut component = match info.toolchain {
            Some(_) => Component::new("golang", above, short, version, source.clone()),
            None => Component::new("cargo", &[], name, version, source.clone()),
        };
        name.clone_into(&mut component.name);
        add(component);
    }
    if let Some(version) = info.toolchain.as_deref().and_then(|text| text.strip_prefix("go")) {
        add(Component::new("golang", &[], "stdlib", version, source));
    }
    Ok(all)
}
