//! Differences between two images: paths, packages, libraries, rights, reasons, settings, findings and sizes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::rows::{Kind, Record, Run};
use super::snapshot::{Noted, Snapshot};
use crate::error::Error;

/// The schema of comparisons.
const SCHEMA: &str = "slimroot.diff.v1";

/// A value before and after; `None` if there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The name of the changed item.
    pub name: String,
    /// The value before.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

/// Files and bytes of one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// As the user named it.
    pub name: String,
    /// Number of files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Bytes of a group of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The kind of reason, or the package or directory where reasons are not known.
    pub name: String,
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// A path that is only on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct One {
    /// The path.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// The package that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Why it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// A path that is on both sides, and differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Both {
    /// The path.
    pub path: String,
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
    /// Attributes that differ: `kind`, `contents`, `target`, `mode`, `owner`.
    pub changes: Vec<Change>,
}

/// A comparison of two images.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The version of this document.
    pub schema: &'static str,
    /// The first image.
    pub before: Side,
    /// The second image.
    pub after: Side,
    /// User, ports, environment and the like.
    pub settings: Vec<Change>,
    /// Versions of packages.
    pub packages: Vec<Change>,
    /// Paths of libraries by soname.
    pub libraries: Vec<Change>,
    /// Groups whose size differs, the largest difference first.
    pub groups: Vec<Group>,
    /// Paths that are only in the second image.
    pub added: Vec<One>,
    /// Paths that are only in the first image.
    pub removed: Vec<One>,
    /// Paths that differ.
    pub changed: Vec<Both>,
    /// Reasons of paths that are in both images.
    pub reasons: Vec<Change>,
    /// Findings that are only in the second image.
    pub new_findings: Vec<Noted>,
    /// Findings that are only in the first image.
    pub gone_findings: Vec<Noted>,
    /// Limits that are exceeded, as sentences.
    pub broken: Vec<String>,
}

impl Diff {
    /// Compares two images; the strings are the names that the user gave.
    ///
    /// # Errors
    /// `unreadable`, `changed-while-packing`.
    pub fn of(before: (&str, &Snapshot), after: (&str, &Snapshot)) -> Result<Self, Error> {
        let side = |(name, snapshot): (&str, &Snapshot)| Side {
            name: name.to_owned(),
            files: snapshot.files(),
            bytes: snapshot.bytes(),
        };
        let (old, new) = (before.1, after.1);
        let mut diff = Self {
            schema: SCHEMA,
            before: side(before),
            after: side(after),
            settings: settings(old.run.as_ref(), new.run.as_ref()),
            packages: changes(&versions(old), &versions(new)),
            libraries: changes(&libraries(old), &libraries(new)),
            groups: groups(old, new),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            reasons: Vec::new(),
            new_findings: Vec::new(),
            gone_findings: Vec::new(),
            broken: Vec::new(),
        };
        diff.compare_paths(old, new)?;
        if let (Some(old), Some(new)) = (&old.findings, &new.findings) {
            let keys = |all: &[Noted]| -> BTreeSet<(String, String)> {
                all.iter().map(|noted| (noted.code.clone(), noted.subject.clone())).collect()
            };
            let without = |all: &[Noted], other: &[Noted]| -> Vec<Noted> {
                let known = keys(other);
                all.iter()
                    .filter(|noted| !known.contains(&(noted.code.clone(), noted.subject.clone())))
                    .cloned()
                    .collect()
            };
            (diff.new_findings, diff.gone_findings) = (without(new, old), without(old, new));
        }
        Ok(diff)
    }

    fn compare_paths(&mut self, old: &Snapshot, new: &Snapshot) -> Result<(), Error> {
        let one = |record: &Record| One {
            path: record.path.to_string(),
            bytes: record.size,
            package: record.package.clone(),
            because: record.because.clone(),
        };
        self.removed.extend(old.entries.values().filter(|record| !new.entries.contains_key(&record.path)).map(one));
        let has_reasons = old.has_reasons() && new.has_reasons();
        for record in new.entries.values() {
            let Some(known) = old.entries.get(&record.path) else {
                self.added.push(one(record));
                continue;
            };
            let changes = differences((old, known), (new, record))?;
            if !changes.is_empty() {
                let path = record.path.to_string();
                self.changed.push(Both { path, before: known.size, after: record.size, changes });
            }
            if has_reasons && (&known.rule, &known.because) != (&record.rule, &record.because) {
                let says = |record: &Record| {
                    Some(format!("{} [{}]", record.because.as_deref()?, record.rule.as_deref().unwrap_or("-")))
                };
                self.reasons.push(Change { name: record.path.to_string(), before: says(known), after: says(record) });
            }
        }
        Ok(())
    }

    /// Bytes by which the second image is larger.
    pub fn grown(&self) -> i128 {
        i128::from(self.after.bytes) - i128::from(self.before.bytes)
    }

    /// True if both images are the same.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
            && self.packages.is_empty()
            && self.libraries.is_empty()
            && self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.reasons.is_empty()
            && self.new_findings.is_empty()
            && self.gone_findings.is_empty()
    }
}

/// Lists the differences between two entries at one path.
fn differences((old, a): (&Snapshot, &Record), (new, b): (&Snapshot, &Record)) -> Result<Vec<Change>, Error> {
    let mut found = Vec::new();
    let mut differ = |name: &str, before: String, after: String| {
        if before != after {
            found.push(Change { name: name.to_owned(), before: Some(before), after: Some(after) });
        }
    };
    let kind = |record: &Record| format!("{:?}", record.kind).to_lowercase();
    let is_same_kind = a.kind == b.kind || a.is_file() && b.is_file();
    if !is_same_kind {
        differ("kind", kind(a), kind(b));
    }
    if a.kind == Kind::File && b.kind == Kind::File {
        if a.size != b.size {
            differ("contents", format!("{} bytes", a.size), format!("{} bytes", b.size));
        } else if let (Some(a), Some(b)) = (old.digest(a)?, new.digest(b)?) {
            differ("contents", a, b);
        }
    }
    if a.kind == Kind::Link && b.kind == Kind::Link {
        differ("target", a.target.clone().unwrap_or_default(), b.target.clone().unwrap_or_default());
    }
    if a.kind != Kind::Link || b.kind != Kind::Link {
        differ("mode", a.mode.clone(), b.mode.clone());
    }
    differ("owner", format!("{}:{}", a.uid, a.gid), format!("{}:{}", b.uid, b.gid));
    Ok(found)
}

/// Versions of packages by name. A package that is installed for several architectures has a row for each.
fn versions(of: &Snapshot) -> BTreeMap<String, String> {
    of.packages.iter().map(|(id, package)| (id.clone(), package.about.version.clone())).collect()
}

/// Paths of libraries by soname, in order.
fn libraries(of: &Snapshot) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for record in of.entries.values().filter(|record| record.kind == Kind::File) {
        let Some(soname) = &record.soname else { continue };
        let paths = found.entry(soname.clone()).or_default();
        if !paths.is_empty() {
            paths.push_str(", ");
        }
        paths.push_str(&record.path.to_string());
    }
    found
}

/// Keys whose values differ.
pub(super) fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        (before != after).then(|| Change { name: name.clone(), before, after })
    };
    names.into_iter().filter_map(change).collect()
}

/// Settings that differ; none if one side is a directory, which has no settings.
fn settings(before: Option<&Run>, after: Option<&Run>) -> Vec<Change> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    changes(&before.rows(), &after.rows())
}

impl Run {
    /// Settings by name; those that are not set have no row.
    pub(crate) fn rows(&self) -> BTreeMap<String, String> {
        let joined = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(" ");
        let mut rows = BTreeMap::from([
            ("architecture".to_owned(), self.architecture.clone()),
            ("variant".to_owned(), self.variant.clone()),
            ("entrypoint".to_owned(), self.entrypoint.join(" ")),
            ("command".to_owned(), self.command.join(" ")),
            ("workdir".to_owned(), self.workdir.clone()),
            ("user".to_owned(), self.user.clone()),
            ("ports".to_owned(), joined(&self.ports)),
        ]);
        rows.extend(self.env.iter().map(|(name, value)| (format!("env {name}"), value.clone())));
        rows.extend(self.labels.iter().map(|(name, value)| (format!("label {name}"), value.clone())));
        rows.retain(|_, value| !value.is_empty());
        rows
    }
}

/// Groups whose size differs.
fn groups(before: &Snapshot, after: &Snapshot) -> Vec<Group> {
    let by_reason = before.has_reasons() && after.has_reasons();
    let sums = |of: &Snapshot| {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for record in of.entries.values().filter(|record| record.size > 0) {
            let sum = found.entry(group(record, by_reason)).or_default();
            *sum = sum.saturating_add(record.size);
        }
        found
    };
    let (before, after) = (sums(before), sums(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let bytes = |sums: &BTreeMap<String, u64>, name: &String| sums.get(name).copied().unwrap_or_default();
    let group = |name: &String| Group { name: name.clone(), before: bytes(&before, name), after: bytes(&after, name) };
    let mut found: Vec<Group> = names.into_iter().map(group).filter(|group| group.before != group.after).collect();
    found.sort_by_key(|group| std::cmp::Reverse(group.before.abs_diff(group.after)));
    found
}

/// The group of a record: the kind of its reason, or else its package or the directory at the top.
fn group(record: &Record, by_reason: bool) -> String {
    if by_reason {
        return record.group.clone().unwrap_or_else(|| "made by slimroot".to_owned());
    }
    match &record.package {
        Some(package) => format!("package {package}"),
        None => {
            let above = record.path.ancestors();
            above.get(2).or(above.get(1)).map_or_else(|| "/".to_owned(), ToString::to_string)
        }
    }
}

/// Limit for the growth of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// A number of bytes.
    Bytes(u64),
    /// Hundredths of a percent of its size.
    Hundredths(u64),
}

impl Diff {
    /// Adds a sentence for each limit that the second image exceeds.
    pub fn limit(&mut self, growth: Option<Growth>, budget: Option<u64>) {
        let (grown, before) = (self.grown(), i128::from(self.before.bytes));
        let is_broken = |growth: &Growth| match growth {
            Growth::Bytes(bytes) => grown > i128::from(*bytes),
            Growth::Hundredths(hundredths) => grown * 10_000 > before * i128::from(*hundredths),
        };
        if let Some(growth) = growth.filter(is_broken) {
            let limit = match growth {
                Growth::Bytes(bytes) => format!("{bytes} bytes"),
                Growth::Hundredths(hundredths) => format!("{}.{:02} %", hundredths / 100, hundredths % 100),
            };
            self.broken.push(format!("the image grows by {grown} bytes; the limit is {limit}"));
        }
        if let Some(budget) = budget.filter(|budget| self.after.bytes > *budget) {
            self.broken.push(format!("the image has {} bytes; the limit is {budget}", self.after.bytes));
        }
    }
}
