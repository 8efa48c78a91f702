//! Contents of an inventory, independent of its format.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::package::{About, Manager};
use crate::path::RootPath;
use crate::root::Root;

use super::purl::{cpe, purl};

/// Paths of os-release(5).
const OS_RELEASE: [&[u8]; 2] = [b"/etc/os-release", b"/usr/lib/os-release"];
const MAX_OS_RELEASE: usize = 64 << 10;

/// The distribution of a root, by its os-release(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// ID, such as `debian`.
    pub id: String,
    /// VERSION_ID, such as `12`.
    pub version: String,
    /// PRETTY_NAME.
    pub name: String,
}

impl Distribution {
    /// Reads the distribution of a root; empty if it is not stated.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn of(root: &Root) -> Result<Self, Error> {
        let mut found = Self::default();
        for place in OS_RELEASE {
            let Some((_, text)) = root.read_followed(place, MAX_OS_RELEASE)? else { continue };
            for line in String::from_utf8_lossy(&text).lines() {
                let Some((key, value)) = line.split_once('=') else { continue };
                let value = value.trim().trim_matches(['"', '\'']).to_owned();
                match key {
                    "ID" => found.id = value,
                    "VERSION_ID" => found.version = value,
                    "PRETTY_NAME" => found.name = value,
                    _ => {}
                }
            }
            break;
        }
        Ok(found)
    }
}

/// Digests of a file, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-1, which SPDX requires.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
}

/// A package, module or library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its package URL.
    pub purl: String,
    /// Its CPE name, which is a guess.
    pub cpe: Option<String>,
    /// Its licences as stated by the package.
    pub licence: Option<String>,
    /// Evidence for the package, as a sentence.
    pub source: String,
    /// Its files in the image.
    pub files: BTreeSet<RootPath>,
    /// True if its metadata list all its files, so that no other file of the image can belong to it.
    pub has_all_files: bool,
}

impl Component {
    /// A component of a language's package manager.
    pub(super) fn new(kind: &str, namespace: &[&str], name: &str, version: &str, source: String) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            purl: purl(kind, namespace, name, version, &[]),
            cpe: cpe(name, version),
            licence: None,
            source,
            files: BTreeSet::new(),
            has_all_files: false,
        }
    }

    /// A package of the distribution.
    pub(super) fn of_package(about: &About, distro: &Distribution) -> Self {
        Self {
            name: about.name.clone(),
            version: about.version.clone(),
            purl: package_url(about, distro),
            cpe: cpe(&about.name, version_without_epoch(about).1),
            licence: about.licence.clone(),
            source: format!("the {} database; source package {}", about.manager.as_str(), about.source),
            files: BTreeSet::new(),
            has_all_files: true,
        }
    }
}

/// The epoch and the rest of a version, for rpm, in whose package URLs the epoch is a qualifier.
fn version_without_epoch(about: &About) -> (&str, &str) {
    match (about.manager, about.version.split_once(':')) {
        (Manager::Rpm, Some((epoch, version))) => (epoch, version),
        _ => ("", about.version.as_str()),
    }
}

/// The package URL of a package of a distribution.
pub fn package_url(about: &About, distro: &Distribution) -> String {
    let release = match (distro.id.as_str(), distro.version.as_str()) {
        ("", _) => String::new(),
        (id, "") => id.to_owned(),
        (id, version) => format!("{id}-{version}"),
    };
    let (epoch, version) = version_without_epoch(about);
    let upstream = match (about.manager, &about.source_version) {
        // Scanners read the name of the source package's file here. Keys have no architecture and no source.
        (Manager::Rpm, _) if about.architecture.is_empty() => String::new(),
        (Manager::Rpm, of_source) => format!("{}-{}.src.rpm", about.source, of_source.as_deref().unwrap_or(version)),
        (_, Some(version)) => format!("{}@{version}", about.source),
        (_, None) if about.source != about.name => about.source.clone(),
        (_, None) => String::new(),
    };
    let qualifiers =
        [("arch", about.architecture.as_str()), ("distro", &release), ("epoch", epoch), ("upstream", &upstream)];
    purl(about.manager.as_str(), &[&distro.id], &about.name, version, &qualifiers)
}

/// Contents of an image.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The name of the image.
    pub name: String,
    /// Time of the document, in seconds since 1970.
    pub epoch: u64,
    /// The distribution of the packages.
    pub distro: Distribution,
    /// Components, sorted by package URL, which are unique.
    pub components: Vec<Component>,
    /// All files with their digests.
    pub files: BTreeMap<RootPath, Hashes>,
    /// Dependencies between components, as indexes.
    pub depends: BTreeSet<(usize, usize)>,
    /// Files that load libraries: the file, and the library.
    pub links: BTreeSet<(RootPath, RootPath)>,
}

impl Inventory {
    /// Sorts components; merges those with the same package URL.
    pub(super) fn set_components(&mut self, all: Vec<Component>) {
        let mut found: BTreeMap<String, Component> = BTreeMap::new();
        for component in all {
            match found.get_mut(&component.purl) {
                Some(known) => {
                    known.files.extend(component.files);
                    known.has_all_files &= component.has_all_files;
                }
                None => drop(found.insert(component.purl.clone(), component)),
            }
        }
        self.components = found.into_values().collect();
        for component in &mut self.components {
            component.files.retain(|path| self.files.contains_key(path));
        }
    }

    /// The indexes of the components that have a file; packages of the distribution come first.
    pub(super) fn owners(&self) -> BTreeMap<&RootPath, usize> {
        let mut found = BTreeMap::new();
        let is_system = |component: &Component| {
            ["pkg:deb/", "pkg:apk/", "pkg:rpm/"].iter().any(|kind| component.purl.starts_with(kind))
        };
        for wanted in [true, false] {
            for (number, component) in self.components.iter().enumerate().filter(|(_, one)| is_system(one) == wanted) {
                for path in &component.files {
                    found.entry(path).or_insert(number);
                }
            }
        }
        found
    }

    /// Files that belong to no component.
    pub(super) fn unowned(&self) -> Vec<&RootPath> {
        let owners = self.owners();
        self.files.keys().filter(|path| !owners.contains_key(path)).collect()
    }

    /// A digest of the inventory, for names of documents.
    pub(super) fn fingerprint(&self) -> String {
        let mut text = format!("{}\n{}\n", self.name, self.epoch);
        for component in &self.components {
            text.push_str(&component.purl);
            text.push('\n');
        }
        for (path, hashes) in &self.files {
            text.push_str(&format!("{path} {}\n", hashes.sha256));
        }
        crate::digest::Digest::of(text.as_bytes()).hex()
    }
}
