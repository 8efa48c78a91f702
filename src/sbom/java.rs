//! Libraries of Java: the properties that Maven puts into an archive, or else its manifest.

use super::inventory::Component;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;
use crate::zipped::{Place, Zip};

/// Maximum size of a document that is read.
const MAX_DOCUMENT: u64 = 1 << 20;
const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// The libraries that an archive contains. One whose directory is too large is left unread.
///
/// # Errors
/// `unreadable`.
pub(super) fn found(root: &Root, path: &RootPath) -> Result<Vec<Component>, Error> {
    let source = root.open_file(path)?;
    let mut archive = match Zip::open(Place::whole(&*source)) {
        Ok(archive) => archive,
        Err(why) => {
            if let Some(says) = why.says() {
                root.leave_unread(path, says);
            }
            return Ok(Vec::new());
        }
    };
    let from = format!("the archive {path}");
    let is_maven = |name: &&str| name.starts_with("META-INF/maven/") && name.ends_with("/pom.properties");
    let names: Vec<String> = archive.names().filter(is_maven).map(str::to_owned).collect();
    let mut all: Vec<Component> =
        names.iter().filter_map(|name| maven(&document(&mut archive, name)?, from.clone())).collect();
    if all.is_empty() {
        let manifest = document(&mut archive, MANIFEST);
        all.extend(manifest.and_then(|text| by_manifest(&text, path, from)));
    }
    if archive.is_spent() {
        root.leave_unread(path, "its members together have more bytes than are read");
    }
    for component in &mut all {
        component.files.insert(path.clone());
        component.has_all_files = true;
    }
    Ok(all)
}

fn document(archive: &mut Zip<'_>, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&archive.head(name, MAX_DOCUMENT)?).into_owned())
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
