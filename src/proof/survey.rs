//! Limits of a run as evidence: packed files that it did not touch, and directories in which it saw fewer names.

use std::collections::{BTreeMap, BTreeSet};

use super::missed::{is_elsewhere, is_library, is_module};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Root};
use crate::watch::{Act, Trace};
use crate::world::tables::system;

/// Maximum number of names of one directory that a report lists.
const MAX_NAMES: usize = 50;

/// Packed files that a run did not use, by kind.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Untouched {
    /// Programs in directories of commands.
    #[serde(rename = "untouched_programs")]
    pub programs: BTreeSet<String>,
    /// Modules of interpreters.
    #[serde(rename = "untouched_modules")]
    pub modules: BTreeSet<String>,
    /// Libraries, among them plug-ins.
    #[serde(rename = "untouched_libraries")]
    pub libraries: BTreeSet<String>,
}

impl Untouched {
    /// Keeps only files that another run did not use either.
    pub fn and(&mut self, other: &Self) {
        self.programs.retain(|one| other.programs.contains(one));
        self.modules.retain(|one| other.modules.contains(one));
        self.libraries.retain(|one| other.libraries.contains(one));
    }
}

/// A directory that the packed run listed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Listing {
    /// The directory.
    pub path: String,
    /// The program that listed it, and those that started it.
    pub askers: Vec<String>,
    /// Names that only the builder root has in it; the first ones.
    pub absent: Vec<String>,
    /// Number of these names.
    pub count: usize,
}

/// Packed files that a run did not use.
///
/// # Errors
/// `unreadable`.
pub(super) fn untouched(root: &Root, trace: &Trace) -> Result<Untouched, Error> {
    let mut touched = BTreeSet::new();
    for path in trace.reached().keys() {
        touched.extend(root.follow(path)?.found().map(|(real, _)| real.clone()));
    }
    let mut found = Untouched { programs: programs(root, &touched)?, ..Untouched::default() };
    let mut open = vec![RootPath::root()];
    while let Some(dir) = open.pop() {
        // An ordinary user may not be able to list everything.
        for name in root.list(&dir).unwrap_or_default() {
            let path = dir.join(&name);
            match root.meta(&path)? {
                Some(meta) if meta.kind == FileKind::Dir => open.push(path),
                Some(meta) if meta.kind == FileKind::File && !touched.contains(&path) => {
                    if is_library(&name) {
                        found.libraries.insert(path.to_string());
                    } else if is_module(&name) {
                        found.modules.insert(path.to_string());
                    }
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

fn programs(root: &Root, touched: &BTreeSet<RootPath>) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for dir in system().commands.iter() {
        let Some(dir) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&dir)? {
            let path = dir.join(&name);
            let real = root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone());
            if real.is_some_and(|real| !touched.contains(&real)) {
                found.insert(path.to_string());
            }
        }
    }
    Ok(found)
}

/// Directories that a run listed and in which the builder root has more names.
///
/// # Errors
/// `unreadable`.
pub(super) fn listings(packed: &Root, builder: &Root, trace: &Trace) -> Result<Vec<Listing>, Error> {
    let listed = trace.seen().filter(|seen| seen.act == Act::List && seen.errno == 0 && !is_elsewhere(&seen.path));
    let listed: BTreeMap<&[u8], usize> = listed.map(|seen| (seen.path.as_slice(), seen.process)).collect();
    let mut found = Vec::new();
    for (path, process) in listed {
        let (own, theirs) = (packed.follow(path)?, builder.follow(path)?);
        let (Some(own), Some(theirs)) = (own.dir(), theirs.dir()) else { continue };
        let own: BTreeSet<Vec<u8>> = packed.list(own)?.into_iter().collect();
        let mut absent: Vec<Vec<u8>> =
            builder.list(theirs).unwrap_or_default().into_iter().filter(|name| !own.contains(name)).collect();
        if absent.is_empty() {
            continue;
        }
        let count = absent.len();
        absent.truncate(MAX_NAMES);
        let askers = trace.askers(process).into_iter().map(|one| show(&one.program).into_owned()).collect();
        let absent = absent.iter().map(|name| show(name).into_owned()).collect();
        found.push(Listing { path: show(path).into_owned(), askers, absent, count });
    }
    Ok(found)
}
