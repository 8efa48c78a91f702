//! Files of the root that are not in the image, by the rule that left them out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::source::Ledger;
use super::walk;
use crate::error::Error;
use crate::package;
use crate::path::RootPath;
use crate::root::{FileKind, RootGlob};

/// Maximum number of files. Beyond it nothing is counted, because a partial sum is useless.
const MAX_FILES: usize = 400_000;

/// Files that a rule left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The rule.
    pub rule: String,
    /// Number of regular files.
    pub files: usize,
    /// Their bytes; every name of a hard link counts.
    pub bytes: u64,
}

/// One file that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Its path in the root.
    pub path: RootPath,
    /// Its bytes.
    pub size: u64,
    /// The number of its rule in the table of sums.
    pub rule: usize,
    /// The package that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// Sums by rule, and each file.
pub type Absent = (Vec<LeftOut>, Vec<Gone>);

/// The files of the root that are not in the image: sums by rule, and each file. `None` if the root has too many files.
///
/// Directories on other file systems are skipped, because they are not part of the root, and so are unreadable ones.
///
/// # Errors
/// `unreadable`, `bad-package-database`.
pub fn left_out(ledger: &Ledger<'_>, exclude: &[RootGlob]) -> Result<Option<Absent>, Error> {
    let Some(found) = files_left_out(ledger)? else { return Ok(None) };
    let paths: Vec<RootPath> = found.iter().map(|(path, _)| path.clone()).collect();
    let owners = match package::open(ledger.root)? {
        Some(database) => database.owners(&paths)?,
        None => BTreeMap::new(),
    };
    let packed: BTreeSet<&str> = ledger.packages.iter().map(|package| package.id.as_str()).collect();
    let claimed = ledger.closure.claimed();
    let rule = |path: &RootPath| -> String {
        if let Some(pattern) = exclude.iter().find(|pattern| pattern.covers(path)) {
            return format!("--exclude {}", pattern.as_str());
        }
        if path.ancestors().iter().any(|dir| claimed.contains(dir)) {
            return "in a packed application or language directory, but not needed at run time".to_owned();
        }
        let why = match owners.get(path) {
            Some(owner) if packed.contains(owner.as_str()) => "in a package of which other files are packed",
            Some(_) => "in a package that nothing needs",
            None => "in no package, and nothing needs it",
        };
        why.to_owned()
    };
    let mut sums: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    let mut gone = Vec::with_capacity(found.len());
    for (path, size) in found {
        let rule = rule(&path);
        let sum = sums.entry(rule.clone()).or_default();
        *sum = (sum.0 + 1, sum.1 + size);
        gone.push((path, size, rule));
    }
    let numbers: BTreeMap<&String, usize> = sums.keys().enumerate().map(|(number, rule)| (rule, number)).collect();
    let gone = gone
        .into_iter()
        .map(|(path, size, rule)| Gone { package: owners.get(&path).cloned(), rule: numbers[&rule], path, size })
        .collect();
    let sums = sums.into_iter().map(|(rule, (files, bytes))| LeftOut { rule, files, bytes }).collect();
    Ok(Some((sums, gone)))
}

/// Regular files of the root that are not in the plan, sorted.
fn files_left_out(ledger: &Ledger<'_>) -> Result<Option<Vec<(RootPath, u64)>>, Error> {
    let Some(entries) = walk::entries(&**ledger.root.tree(), MAX_FILES)? else { return Ok(None) };
    let is_absent = |path: &RootPath| !ledger.plan.items.contains_key(path);
    let files = entries.into_iter().filter(|(path, meta)| meta.kind == FileKind::File && is_absent(path));
    Ok(Some(files.map(|(path, meta)| (path, meta.size)).collect()))
}
