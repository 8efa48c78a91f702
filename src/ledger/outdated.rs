//! Packages of an image that have another version in a root, which a rebuild would use.

use std::collections::BTreeMap;

use serde::Serialize;

use super::snapshot::Snapshot;
use crate::error::Error;
use crate::package::{self, About};
use crate::root::Root;

/// The schema of this comparison.
const SCHEMA: &str = "slimroot.outdated.v1";

/// A package whose version differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherVersion {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// The version in the image.
    pub image: String,
    /// The version in the root; `None` if the root does not have the package.
    pub root: Option<String>,
    /// Number of its files in the image, if they are known.
    pub files: usize,
}

/// The packages of an image compared with those of a root.
#[derive(Clone, Debug, Serialize)]
pub struct Outdated {
    /// The version of this document.
    pub schema: &'static str,
    /// Packages that differ, sorted by name.
    pub packages: Vec<OtherVersion>,
    /// Number of packages that are the same.
    pub same: usize,
}

impl Outdated {
    /// Compares the packages of an image with those of a root.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`, `bad-argument` if one of them has no package database.
    pub fn of(image: &Snapshot, root: &Root) -> Result<Self, Error> {
        let none = |what: &str| {
            Error::new("bad-argument", format!("the {what} has no packages, so there is nothing to compare"))
                .help("a plan, a lock and images with package records have them; a root needs the database of dpkg, apk or rpm")
        };
        if image.packages.is_empty() {
            return Err(none("image"));
        }
        let Some(database) = package::recorded(root)? else { return Err(none("root")) };
        let mut known: BTreeMap<(String, String), String> = BTreeMap::new();
        for id in database.names() {
            if let Some(about) = database.about(&id)? {
                known.insert((about.name, about.architecture), about.version);
            }
        }
        let mut found = Self { schema: SCHEMA, packages: Vec::new(), same: 0 };
        for package in image.packages.values() {
            let about = &package.about;
            let version = version_of(about, &known);
            if version == Some(&about.version) {
                found.same += 1;
                continue;
            }
            found.packages.push(OtherVersion {
                name: about.name.clone(),
                architecture: about.architecture.clone(),
                image: about.version.clone(),
                root: version.cloned(),
                files: package.files,
            });
        }
        found.packages.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
        Ok(found)
    }
}

/// The version of a package, for its architecture or else for any: a package may become independent of it.
fn version_of<'k>(about: &About, known: &'k BTreeMap<(String, String), String>) -> Option<&'k String> {
    known.get(&(about.name.clone(), about.architecture.clone())).or_else(|| {
        let mut others =
            known.range((about.name.clone(), String::new())..).take_while(|((name, _), _)| *name == about.name);
        others.next().map(|(_, version)| version)
    })
}
