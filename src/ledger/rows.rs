//! The rows of a ledger as documents contain them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::names;
use crate::package::About;
use crate::path::RootPath;

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of a regular file.
    Hardlink,
    /// A symlink.
    Link,
    /// A directory.
    Dir,
    /// A device, socket or pipe; only in directories, and in images made by other tools.
    Other,
}

/// An entry of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its path.
    #[serde(deserialize_with = "names::path")]
    pub path: RootPath,
    /// Its kind.
    pub kind: Kind,
    /// Permission bits in octal, such as `0755`.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file; 0 for everything else.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// Digest of a file's contents, `sha256:HEX`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Target of a symlink, or the first name of a hard link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The number of its layer; the lowest is 0.
    #[serde(default)]
    pub layer: u32,
    /// The package that owns it: an `id` in the table of packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The name by which loaders find the library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soname: Option<String>,
    /// The rule that found it; `slimroot explain rule:ID` explains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The reason, as a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The file that requires it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The group in summaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Record {
    /// Permission bits as a number; 0 if the text is not octal.
    pub fn bits(&self) -> u32 {
        u32::from_str_radix(&self.mode, 8).unwrap_or_default()
    }

    /// True for a regular file or a hard link.
    pub fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File | Kind::Hardlink)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(size: &u64) -> bool {
    *size == 0
}

/// A package of which the image has files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The name by which records refer to it.
    pub id: String,
    /// Metadata from the package database.
    #[serde(flatten)]
    pub about: About,
    /// Number of its files in the image.
    #[serde(default)]
    pub files: usize,
    /// Bytes of its files in the image.
    #[serde(default)]
    pub bytes: u64,
}

/// Run settings of the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The program and its fixed arguments.
    pub entrypoint: Vec<String>,
    /// Its default arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub workdir: String,
    /// `UID:GID` or a name.
    pub user: String,
    /// Ports such as `80/tcp`.
    pub ports: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The architecture by its Go name.
    pub architecture: String,
    /// The variant of the architecture.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

/// A process that the image may start, or a library that a process may open.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessRow {
    /// The program or plug-in.
    pub program: RootPath,
    /// `sure`, `likely` or `possible`.
    pub certainty: String,
    /// True if a missing library of it fails the build.
    pub required: bool,
    /// Its objects in load order, itself first, without those of the process in which a plug-in is opened.
    pub objects: Vec<RootPath>,
    /// Names of missing libraries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}
