//! What of the root is not in the image, by the rule that left it out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::source::Ledger;
use crate::error::Error;
use crate::package;
use crate::path::RootPath;
use crate::root::{FileKind, RootGlob, Tree};

/// Directories of the kernel, whose files are not those of a root.
const OF_KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Maximal number of files that are looked at. Above it nothing is counted, because part of a sum says nothing.
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
/// Directories on other file systems are not entered, as they are not part of the root, and those that cannot be read
/// are passed by.
///
/// # Errors
/// `unreadable`, `bad-package-database`.
pub fn left_out(ledger: &Ledger<'_>, exclude: &[RootGlob]) -> Result<Option<Absent>, Error> {
    let Some(found) = absent(ledger)? else { return Ok(None) };
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

/// Regular files of the root that the plan does not have, sorted.
fn absent(ledger: &Ledger<'_>) -> Result<Option<Vec<(RootPath, u64)>>, Error> {
    let tree: &dyn Tree = &**ledger.root.tree();
    let device = |path: &RootPath| Ok::<_, Error>(tree.meta(path)?.map(|meta| meta.identity.0));
    let own = device(&RootPath::root())?;
    let mut open = vec![RootPath::root()];
    let (mut found, mut seen) = (Vec::new(), 0);
    while let Some(dir) = open.pop() {
        let Ok(names) = tree.list(&dir) else { continue };
        for name in names {
            let path = dir.join(&name);
            let Some(meta) = tree.meta(&path)? else { continue };
            seen += 1;
            if seen > MAX_FILES {
                return Ok(None);
            }
            match meta.kind {
                FileKind::Dir if OF_KERNEL.iter().any(|dir| path.as_bytes() == dir.as_bytes()) => {}
                FileKind::Dir if Some(meta.identity.0) == own => open.push(path),
                FileKind::File if !ledger.plan.items.contains_key(&path) => found.push((path, meta.size)),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(Some(found))
}
