//! Libraries of Java: the properties that Maven puts into an archive, or else its manifest.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::inventory::Component;
use crate::path::RootPath;
use crate::root::Source;

/// Maximum size of an archive that is read, and of a document in it.
const MAX_ARCHIVE: u64 = 512 << 20;
const MAX_DOCUMENT: u64 = 1 << 20;
/// Maximum number of entries of an archive.
const MAX_ENTRIES: usize = 200_000;
const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// The libraries that an archive contains.
pub(super) fn found(source: &dyn Source, path: &RootPath) -> Vec<Component> {
    let size = source.meta().size;
    let Some(size) = usize::try_from(size).ok().filter(|_| size <= MAX_ARCHIVE) else { return Vec::new() };
    let mut bytes = vec![0; size];
    if source.read_at(0, &mut bytes).ok() != Some(size) {
        return Vec::new();
    }
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else { return Vec::new() };
    if archive.len() > MAX_ENTRIES {
        return Vec::new();
    }
    let from = format!("the archive {path}");
    let is_maven = |name: &&str| name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties");
    let names: Vec<String> = archive.file_names().filter(is_maven).map(str::to_owned).collect();
    let mut all: Vec<Component> =
        names.iter().filter_map(|name| maven(&document(&mut archive, name)?, from.clone())).collect();
    if all.is_empty() {
        let manifest = document(&mut archive, MANIFEST);
        all.extend(manifest.and_then(|text| by_manifest(&text, path, from)));
    }
    for component in &mut all {
        component.files.insert(path.clone());
        component.has_all_files = true;
    }
    all
}

fn document(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Option<String> {
    let mut text = Vec::new();
    archive.by_name(name).ok()?.take(MAX_DOCUMENT).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// `groupId`, `artifactId` and `version`.
fn maven(text: &str, source: String) -> Option<Component> {
    let field = |key: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')).map(str::trim)
    };
    let (group, name, version) = (field("groupId")?, field("artifactId")?, field("version")?);
    Some(Component::new("maven", &[group], name, version, source))
}

/// The name of the file with the version of the manifest (JAR File Specification, "Main Attributes").
fn by_manifest(text: &str, path: &RootPath, source: String) -> Option<Component> {
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim);
    let version = field("Implementation-Version")
        .or_else(|| field("Bundle-Version"))
        .or_else(|| field("Specification-Version"))?;
    let stem = String::from_utf8_lossy(path.name()).into_owned();
    let stem = stem.rsplit_once('.').map_or(stem.as_str(), |(stem, _)| stem).to_owned();
    let name = stem.strip_suffix(version).and_then(|name| name.strip_suffix('-')).unwrap_or(&stem);
    Some(Component::new("maven", &[field("Implementation-Vendor-Id").unwrap_or(name)], name, version, source))
}
