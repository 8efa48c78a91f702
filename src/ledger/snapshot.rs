//! Contents of an image made by any tool: read from a plan or a lock, or taken from a directory or an unpacked image.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::rows::{Kind, Package, Record, Run};
use super::source::{digest_of, is_library_name, soname};
use super::walk;
use crate::error::Error;
use crate::loader::Objects;
use crate::package;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Meta, Root};

/// Maximum size of a file that is read.
const MAX_FILE: u64 = 1 << 30;
/// Maximum number of entries.
const MAX_ENTRIES: usize = 4_000_000;
/// Number of bytes at the beginning that must contain the schema.
const HEAD: usize = 4096;
/// The schemas that are read, up to their version.
const SCHEMAS: [&str; 2] = ["slimroot.plan.v", "slimroot.lock.v"];
const VERSION: &str = "1";

/// A finding in a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Noted {
    /// Its code.
    pub code: String,
    /// The subject.
    pub subject: String,
    /// `note`, `warning` or `error`.
    pub level: String,
    /// The message.
    pub says: String,
}

/// The contents of an image.
#[derive(Default)]
pub struct Snapshot {
    /// Entries by path.
    pub entries: BTreeMap<RootPath, Record>,
    /// Packages by the name to which entries refer.
    pub packages: BTreeMap<String, Package>,
    /// Run settings; `None` for a directory.
    pub run: Option<Run>,
    /// Findings; `None` if no checks were run.
    pub findings: Option<Vec<Noted>>,
    /// The tree whose digests are computed on demand.
    root: Option<Root>,
}

#[derive(Deserialize)]
struct Raw {
    image: Run,
    packages: Vec<Package>,
    #[serde(default)]
    findings: Option<Vec<Noted>>,
    #[serde(deserialize_with = "by_path")]
    entries: BTreeMap<RootPath, Record>,
}

/// Reads records one by one.
fn by_path<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<RootPath, Record>, D::Error> {
    struct ByPath;
    impl<'de> Visitor<'de> for ByPath {
        type Value = BTreeMap<RootPath, Record>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some(record) = rows.next_element::<Record>()? {
                if found.len() == MAX_ENTRIES {
                    return Err(A::Error::custom("too many entries"));
                }
                if found.insert(record.path.clone(), record).is_some() {
                    return Err(A::Error::custom("a path occurs twice"));
                }
            }
            Ok(found)
        }
    }
    from.deserialize_seq(ByPath)
}

impl Snapshot {
    /// Reads a plan or a lock.
    ///
    /// # Errors
    /// `unreadable`, `bad-ledger`, `ledger-newer`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |error: std::io::Error| Error::unreadable(&path.display(), error);
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() > MAX_FILE {
            return Err(bad(&path.display(), &format!("it has more than {} MiB", MAX_FILE >> 20)));
        }
        Self::parse(&mut BufReader::new(file.take(MAX_FILE)), &path.display())
    }

    /// Parses a plan or a lock; `name` is used in messages.
    ///
    /// # Errors
    /// `unreadable`, `bad-ledger`, `ledger-newer`.
    pub fn parse(reader: &mut dyn Read, name: &dyn Display) -> Result<Self, Error> {
        let unreadable = |error: std::io::Error| Error::unreadable(&name, error);
        let mut head = vec![0; HEAD];
        let mut filled = 0;
        while filled < HEAD {
            match reader.read(&mut head[filled..]).map_err(unreadable)? {
                0 => break,
                read => filled += read,
            }
        }
        head.truncate(filled);
        refuse_schema(&head, name)?;
        let raw: Raw = serde_json::from_reader(head.as_slice().chain(reader)).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Eof => "it is truncated".to_owned(),
                serde_json::error::Category::Io => "it cannot be read".to_owned(),
                // The message may quote untrusted text.
                _ => show(error.to_string().chars().take(200).collect::<String>().as_bytes()).into_owned(),
            };
            bad(name, &what)
        })?;
        let mut packages = BTreeMap::new();
        for package in raw.packages {
            if packages.insert(package.id.clone(), package).is_some() {
                return Err(bad(name, "a package occurs twice"));
            }
        }
        Ok(Self { entries: raw.entries, packages, run: Some(raw.image), findings: raw.findings, root: None })
    }

    /// Lists a directory or an unpacked image. Digests are computed when a comparison needs them.
    ///
    /// # Errors
    /// `unreadable`, `bad-package-database`, `bad-argument` for too many entries.
    pub fn of_tree(root: Root, run: Option<Run>) -> Result<Self, Error> {
        let Some(found) = walk::entries(&**root.tree(), MAX_ENTRIES)? else {
            return Err(Error::new("bad-argument", format!("the tree has more than {MAX_ENTRIES} entries"))
                .help("give the directory of an image, not of a whole machine"));
        };
        let owned = found.iter().filter(|(_, meta)| meta.kind != FileKind::Dir).map(|(path, _)| path.clone());
        let (mut owners, mut packages) = (BTreeMap::new(), BTreeMap::new());
        if let Some(database) = package::recorded(&root)? {
            owners = database.owners(&owned.collect::<Vec<_>>())?;
            for id in database.names() {
                let about = database.about(&id)?;
                packages.extend(about.map(|about| (id.clone(), Package { id, about, files: 0, bytes: 0 })));
            }
        }
        let objects = Objects::new(&root);
        let tree = root.tree();
        let mut first: HashMap<(u64, u64), RootPath> = HashMap::new();
        let mut entries = BTreeMap::new();
        for (path, meta) in found {
            let mut record = record(&root, &path, &meta)?;
            record.layer = tree.layer(&path);
            if meta.kind == FileKind::File && meta.links > 1 {
                match first.get(&meta.identity) {
                    Some(known) => {
                        record.target = Some(known.to_string());
                        (record.kind, record.size) = (Kind::Hardlink, 0);
                    }
                    None => drop(first.insert(meta.identity, path.clone())),
                }
            }
            record.package = owners.get(&path).cloned();
            if record.kind == Kind::File && is_library_name(&path) {
                record.soname = soname(&objects, &path)?;
            }
            if let Some(package) = record.package.as_ref().and_then(|id| packages.get_mut(id)) {
                package.files += usize::from(record.is_file());
                package.bytes += record.size;
            }
            entries.insert(path, record);
        }
        drop(objects);
        Ok(Self { entries, packages, run, findings: None, root: Some(root) })
    }

    /// Bytes of all files; hard links count once.
    pub fn bytes(&self) -> u64 {
        // Sizes in a plan may be arbitrary.
        self.entries.values().fold(0, |sum, record| sum.saturating_add(record.size))
    }

    /// Number of files.
    pub fn files(&self) -> usize {
        self.entries.values().filter(|record| record.is_file()).count()
    }

    /// True if entries have reasons.
    pub fn has_reasons(&self) -> bool {
        self.entries.values().any(|record| record.rule.is_some())
    }

    /// The digest of a file: recorded, or computed now; `None` if neither is possible.
    pub(super) fn digest(&self, record: &Record) -> Result<Option<String>, Error> {
        match (&record.digest, &self.root) {
            (Some(known), _) => Ok(Some(known.clone())),
            (None, Some(root)) if record.kind == Kind::File => {
                let source = root.open_file(&record.path)?;
                Ok(Some(digest_of(&*source, &record.path, record.size)?.to_string()))
            }
            _ => Ok(None),
        }
    }
}

/// The record of an entry of a tree.
fn record(root: &Root, path: &RootPath, meta: &Meta) -> Result<Record, Error> {
    let (kind, target) = match meta.kind {
        FileKind::File => (Kind::File, None),
        FileKind::Dir => (Kind::Dir, None),
        FileKind::Link => (Kind::Link, Some(show(&root.tree().link_text(path)?).into_owned())),
        FileKind::Other => (Kind::Other, None),
    };
    Ok(Record {
        path: path.clone(),
        kind,
        // Modes of symlinks have no meaning, and differ between systems.
        mode: format!("{:04o}", if kind == Kind::Link { 0o777 } else { meta.mode }),
        uid: meta.uid,
        gid: meta.gid,
        size: if kind == Kind::File { meta.size } else { 0 },
        digest: None,
        target,
        layer: 0,
        package: None,
        soname: None,
        rule: None,
        because: None,
        from: None,
        group: None,
    })
}

fn bad(path: &dyn Display, why: &str) -> Error {
    Error::new("bad-ledger", format!("{path} is not a readable plan or lock: {why}"))
        .help("write it again with slimroot build --plan-out or --lock")
}

/// Refuses a file that does not begin with a schema that is known.
fn refuse_schema(head: &[u8], path: &dyn Display) -> Result<(), Error> {
    let text = String::from_utf8_lossy(head);
    let value = text.split_once("\"schema\"").and_then(|(_, rest)| rest.split('"').nth(1)).unwrap_or_default();
    match SCHEMAS.iter().find_map(|schema| value.strip_prefix(schema)) {
        Some(VERSION) => Ok(()),
        Some(other) if !other.is_empty() && other.len() < 6 && other.bytes().all(|b| b.is_ascii_digit()) => {
            Err(Error::new("ledger-newer", format!("{path} has the schema {value}, which this slimroot does not know"))
                .help("write it again with this version, or use the version that wrote it"))
        }
        _ => Err(bad(path, "it does not begin with a slimroot schema")),
    }
}
