//! ld.so.conf names directories, but there is no cache.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::{CACHE_PATH, conf_dirs};

pub(super) const CHECK: Check = Check {
    code: "cache-absent",
    scope: Scope::Loading,
    text: "/etc/ld.so.conf names directories, but there is no /etc/ld.so.cache. Loaders read only the cache, never the \
           configuration, so they do not find libraries in those directories. Run ldconfig in the builder stage.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let root = evidence.root();
    let lost = evidence.diagnoses()?;
    let is_there = root.follow(CACHE_PATH)?.file().is_some();
    // A missing cache only matters if a needed library is in one of those directories.
    let affected: Vec<&str> = lost
        .iter()
        .filter(|finding| finding.code == "library-not-cached")
        .map(|finding| finding.subject.as_str())
        .collect();
    if is_there || affected.is_empty() {
        return Ok(Vec::new());
    }
    let dirs: Vec<String> = conf_dirs(root)?.iter().map(ToString::to_string).collect();
    let says = format!("/etc/ld.so.conf names {}, but there is no cache: {}", dirs.join(", "), affected.join(", "));
    Ok(vec![
        Finding::new(CHECK.code, Level::Warning, "/etc/ld.so.cache", says).help("run ldconfig in the builder stage"),
    ])
}
