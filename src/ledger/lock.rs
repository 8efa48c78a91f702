//! Locks: the parts of an image that must not change unnoticed. A lock has the schema of a plan, without the files of
//! the user's own application, whose contents change with every commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use super::diff::changes;
use super::rows::{Kind, Record};
use super::snapshot::Snapshot;
use super::source::Ledger;
use super::write::Document;
use crate::error::Error;
use crate::path::RootPath;
use crate::plan::ItemKind;
use crate::root::RootGlob;

/// The schema of locks.
pub const LOCK_SCHEMA: &str = "slimroot.lock.v1";
/// Permission bits that give the rights of a file's owner or group.
const SET_ID: u32 = 0o6000;
/// Number of differences that are shown.
const MAX_SHOWN: usize = 20;

/// Options of the user for a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockRules {
    /// Patterns of further files that may change.
    pub changing: Vec<String>,
    /// True if files of the application are in the lock with their digests, instead of being left out.
    pub digests: bool,
}

/// True for a file of the user's own application: no package owns it, it is not in a directory where distributions
/// install files, and slimroot did not generate it. Libraries and files with set-id bits are always in a lock.
fn is_application(record: &Record, is_made: bool) -> bool {
    let is_system = record.path.is_of_distribution() || record.path.is_within(&etc());
    record.package.is_none() && !is_made && !is_system && may_change(record)
}

/// True for a file whose contents are locked: of a package, a library of the distribution, or a file in /etc, such as
/// the list of users. Other files that slimroot generates follow from those, or contain digests of the application.
fn has_locked_contents(record: &Record, is_made: bool) -> bool {
    let is_library = record.soname.is_some() && record.path.is_of_distribution();
    record.path.is_within(&etc()) || !is_made && (record.package.is_some() || is_library)
}

/// True unless it is a library, a directory or a file with set-id bits.
fn may_change(record: &Record) -> bool {
    record.soname.is_none() && record.bits() & SET_ID == 0 && record.kind != Kind::Dir
}

fn etc() -> RootPath {
    RootPath::new("/etc").unwrap_or_else(RootPath::root)
}

/// Calls `each` with the records of a lock.
fn locked(
    ledger: &Ledger<'_>,
    rules: &LockRules,
    each: &mut dyn FnMut(Record) -> Result<(), Error>,
) -> Result<(), Error> {
    let changing = rules.changing.iter().map(|text| RootGlob::new(text)).collect::<Result<Vec<_>, _>>()?;
    let is_made = |path: &RootPath| {
        let item = ledger.plan.items.get(path);
        item.is_some_and(|item| matches!(&item.kind, ItemKind::File(crate::plan::Content::Made(_))))
    };
    for (path, item) in &*ledger.plan.items {
        let mut record = ledger.record(path, item);
        let is_changing = changing.iter().any(|glob| glob.covers(path));
        if record.kind == Kind::Dir && record.rule.is_none() || is_changing && may_change(&record) {
            continue;
        }
        let is_application = is_application(&record, is_made(path));
        if is_application && !rules.digests {
            continue;
        }
        if let ItemKind::File(content) = &item.kind
            && !is_changing
            && (is_application || has_locked_contents(&record, is_made(path)))
        {
            record.digest = Some(ledger.digest(path, content)?.to_string());
        }
        each(record)?;
    }
    Ok(())
}

/// Writes a lock.
///
/// # Errors
/// `bad-glob`, `output-unwritable`, `disk-full`; with digests also `unreadable`, `changed-while-packing`.
pub fn write_lock(
    ledger: &Ledger<'_>,
    rules: &LockRules,
    out: &mut dyn Write,
    name: &dyn Display,
) -> Result<(), Error> {
    let mut document = Document::begin(out, name)?;
    document.field("schema", &LOCK_SCHEMA)?;
    document.field("image", &ledger.run())?;
    document.rows("packages", &ledger.packages)?;
    document.list("entries", |add| locked(ledger, rules, add))?;
    document.end()
}

/// Refuses an image that differs from a lock in packages, libraries and their contents, reasons, owners, modes, kinds, users
/// or ports.
///
/// # Errors
/// `lock-differs`, and as [`Snapshot::read`].
pub fn refuse_difference(ledger: &Ledger<'_>, rules: &LockRules, lock: &Path) -> Result<(), Error> {
    let known = Snapshot::read(lock)?;
    let run = ledger.run();
    let settings = |run: &super::rows::Run| {
        let mut rows = run.rows();
        rows.retain(|name, _| matches!(name.as_str(), "user" | "ports" | "architecture" | "variant"));
        rows
    };
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut add = |what: &str, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>| {
        for change in changes(before, after) {
            let (before, after) =
                (change.before.as_deref().unwrap_or("(none)"), change.after.as_deref().unwrap_or("(none)"));
            found.push(format!("{what} {}: {before} -> {after}", change.name));
        }
    };
    add("setting", &known.run.as_ref().map(settings).unwrap_or_default(), &settings(&run));
    let versions = |packages: &mut dyn Iterator<Item = &super::rows::Package>| -> BTreeMap<String, String> {
        packages.map(|package| (package.id.clone(), package.about.version.clone())).collect()
    };
    add("package", &versions(&mut known.packages.values()), &versions(&mut ledger.packages.iter()));
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    locked(ledger, rules, &mut |record| {
        let path = record.path.to_string();
        match known.entries.get(&record.path) {
            Some(old) => drop(differing(old, &record).map(|(old, new)| {
                before.insert(path.clone(), old);
                after.insert(path, new);
            })),
            None => drop(after.insert(path, row(&record).join(", "))),
        }
        seen.insert(record.path);
        Ok(())
    })?;
    let gone = known.entries.values().filter(|record| !seen.contains(&record.path));
    before.extend(gone.map(|record| (record.path.to_string(), row(record).join(", "))));
    add("path", &before, &after);
    if found.is_empty() {
        return Ok(());
    }
    let count = found.len();
    let mut says = format!("the image differs from {} in {count} ways", lock.display());
    for line in found.iter().take(MAX_SHOWN) {
        says.push_str(&format!("\n  {line}"));
    }
    if count > MAX_SHOWN {
        says.push_str(&format!("\n  … {} more", count - MAX_SHOWN));
    }
    Err(Error::new("lock-differs", says).help("if this is wanted, write the lock again with --lock"))
}

/// The parts of a record that must not change. Sizes follow from digests, or from the versions of packages.
fn row(record: &Record) -> Vec<String> {
    let kind = if record.is_file() { "file".to_owned() } else { format!("{:?}", record.kind).to_lowercase() };
    let mut parts = vec![format!("{kind} {} {}:{}", record.mode, record.uid, record.gid)];
    for (word, value) in [
        ("->", record.target.as_ref().filter(|_| record.kind == Kind::Link)),
        ("package", record.package.as_ref()),
        ("soname", record.soname.as_ref()),
        ("digest", record.digest.as_ref()),
        ("rule", record.rule.as_ref()),
        ("because", record.because.as_ref()),
    ] {
        parts.extend(value.map(|value| format!("{word} {value}")));
    }
    parts
}

/// Kind, mode and owner of both records and the parts in which they differ; `None` if they are the same. Digests are
/// compared if both have one: locks of other settings have fewer.
fn differing(old: &Record, new: &Record) -> Option<(String, String)> {
    let (mut old, mut new) = (old.clone(), new.clone());
    if old.digest.is_none() || new.digest.is_none() {
        (old.digest, new.digest) = (None, None);
    }
    let (old, new) = (row(&old), row(&new));
    let of = |own: &[String], other: &[String]| {
        let parts = own.iter().enumerate().filter(|(at, part)| *at == 0 || !other.contains(part));
        parts.map(|(_, part)| part.as_str()).collect::<Vec<_>>().join(", ")
    };
    (old != new).then(|| (of(&old, &new), of(&new, &old)))
}
