//! The plan: every entry of the image, sorted, with its metadata settled and the reason it is in. What the plan says
//! is written as it says; nothing is decided after it.

mod build;
mod content;
mod copies;
mod tree;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use build::platform;
pub use content::{changed, unchanged};
pub use tree::PlannedTree;
pub use user::Identity;

use crate::elf::Stripped;
use crate::path::RootPath;

/// What the user says about how the image runs, as far as the closure does not depend on it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Working directory; `None` is `/`.
    pub workdir: Option<RootPath>,
    /// `NAME|UID[:GROUP|GID]`.
    pub user: Option<String>,
    /// Ports such as `80/tcp`.
    pub ports: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Seconds since 1970 of every time in the image.
    pub epoch: u64,
    /// Whether debug sections and symbol tables are left out of ELF files.
    pub strip: bool,
}

/// What was kept or dropped by rule, to be told to the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Files that keep a set-uid or set-gid bit.
    pub set_id: Vec<RootPath>,
    /// Files that keep capabilities.
    pub capabilities: Vec<RootPath>,
    /// Extended attributes that were dropped, with the number of files.
    pub dropped_xattrs: BTreeMap<String, usize>,
    /// Devices, sockets and pipes that were asked for and are not packed.
    pub not_packed: Vec<RootPath>,
    /// Bytes of debug sections and symbol tables: left out, or what leaving them out would save.
    pub strippable: u64,
}

/// An entry of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is, with its content.
    pub kind: ItemKind,
    /// Permission bits with set-uid, set-gid and sticky (`07777`).
    pub mode: u32,
    /// Owner in the image.
    pub uid: u32,
    /// Group in the image.
    pub gid: u32,
    /// Extended attributes that are kept, sorted by name.
    pub xattrs: Vec<crate::root::Xattr>,
}

/// The kind of an entry and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A directory.
    Dir,
    /// A symbolic link with its text.
    Link(Vec<u8>),
    /// Another name of a file that stands earlier in the plan.
    HardLink(RootPath),
    /// A regular file.
    File(Content),
}

/// Where a file's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file of the root.
    FromRoot {
        /// Its real path in the root.
        path: RootPath,
        /// Its size in bytes when it was planned.
        size: u64,
        /// Its modification and change time when it was planned: another stamp at copying is an error.
        stamp: (i128, i128),
        /// What it is without debug sections and symbol tables, if those are left out.
        stripped: Option<Arc<Stripped>>,
    },
    /// Bytes that slimroot made.
    Made(Arc<[u8]>),
}

impl Content {
    /// How many bytes it is.
    pub fn size(&self) -> u64 {
        match self {
            Self::FromRoot { stripped: Some(stripped), .. } => stripped.size(),
            Self::FromRoot { size, .. } => *size,
            Self::Made(bytes) => bytes.len() as u64,
        }
    }
}

/// What the image starts and how: the part of its configuration that is not the layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// The program and its fixed arguments; the program is an absolute path.
    pub entrypoint: Vec<String>,
    /// Environment, sorted by name.
    pub env: BTreeMap<String, String>,
    /// Working directory; empty means `/`.
    pub workdir: String,
    /// `UID:GID`; empty means root.
    pub user: String,
    /// Ports such as `80/tcp`.
    pub ports: BTreeSet<String>,
    /// Labels, which become annotations of the manifest too.
    pub labels: BTreeMap<String, String>,
    /// The architecture by its Go name, as the image specification wants it (`amd64`, `arm64`, …).
    pub architecture: String,
    /// The variant of the architecture, such as `v7`; empty if it has none.
    pub variant: String,
}

/// The entries of an image in the order in which they are written, parents before children, and how it runs.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The entries. The root directory itself is not one: engines make it.
    pub items: BTreeMap<RootPath, Item>,
    /// How the image runs.
    pub run: RunSettings,
    /// Seconds since 1970 of every time in the image (SOURCE_DATE_EPOCH, or 1).
    pub epoch: u64,
    /// What was kept or dropped by rule.
    pub notes: Notes,
}

impl Plan {
    /// Bytes of all regular files, hard links once.
    pub fn bytes(&self) -> u64 {
        self.items
            .values()
            .map(|item| match &item.kind {
                ItemKind::File(content) => content.size(),
                _ => 0,
            })
            .sum()
    }
}
