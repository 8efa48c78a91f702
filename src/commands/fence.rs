//! A fence around slimroot itself, enforced by the kernel (Landlock). If code that reads untrusted files is exploited,
//! it can read only the root, write only to the outputs, start no programs and open no connections.
//!
//! It is best effort: slimroot runs without it on an old kernel, or in a container that forbids the calls.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

use crate::closure::Pyc;
use crate::error::Error;
use crate::image_reader::Reference;
use crate::output::Destination;
use crate::pack::PackRequest;
use crate::registry::{self, Address};
use crate::world::own;

/// Paths that the standard library reads to count the CPUs.
const CPUS: [&str; 3] = ["/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup"];

/// Restricts this thread, and threads that it starts later, to what a request needs. Returns the restrictions in force,
/// for the report; `None` without a fence.
///
/// With `--pyc` or `--jlink` there is no fence, because a guest needs mounts, which a fenced process cannot create.
/// Logins are read before, because a credential helper is a program.
///
/// # Errors
/// `bad-credentials`, `bad-ca-file`, `bad-argument` for an invalid address.
pub(super) fn raise(request: &PackRequest) -> Result<Option<&'static str>, Error> {
    let addresses = addresses(request)?;
    addresses.iter().try_for_each(|address| request.access.prepare(address))?;
    // The program's own file may be outside the fence.
    own::remember();
    if request.jlink || !matches!(request.pyc, Pyc::None) {
        return Ok(None);
    }
    let mut readable = read(request);
    if !addresses.is_empty() {
        readable.extend(registry::Access::files());
    }
    Ok(in_force(&readable, &written(request), addresses.is_empty()))
}

/// Restricts this thread to what a command without a request reads and writes. Best effort, as [`raise`].
pub(super) fn raise_for(reads: &[PathBuf], writes: &[PathBuf]) {
    own::remember();
    let reads: Vec<PathBuf> = reads.iter().cloned().chain(CPUS.iter().map(PathBuf::from)).collect();
    let mut written = vec![std::env::temp_dir()];
    writes.iter().for_each(|path| written.extend(places(path)));
    let _ = in_force(&reads, &written, true);
}

fn in_force(read: &[PathBuf], written: &[PathBuf], is_offline: bool) -> Option<&'static str> {
    match restrict(read, written, is_offline) {
        Ok(RulesetStatus::FullyEnforced) => Some("landlock"),
        Ok(RulesetStatus::PartiallyEnforced) => Some("landlock, in part"),
        Ok(RulesetStatus::NotEnforced) | Err(_) => None,
    }
}

/// Registries in a request.
fn addresses(request: &PackRequest) -> Result<Vec<Address>, Error> {
    let read = [request.root.to_str(), request.since.as_deref()].into_iter().flatten().filter_map(Reference::parse);
    let read = read.map(|reference| reference.address()).collect::<Result<Vec<_>, _>>()?;
    let mut found: Vec<Address> = read.into_iter().flatten().collect();
    if !request.dry_run {
        let destinations = request.outputs.iter().filter_map(|text| Destination::parse(text).ok());
        found.extend(destinations.filter_map(|destination| destination.address().cloned()));
    }
    Ok(found)
}

/// Directories and files that a request reads.
fn read(request: &PackRequest) -> Vec<PathBuf> {
    let root = request.root.to_str().and_then(Reference::parse);
    let mut found = vec![root.map_or_else(|| request.root.clone(), |reference| reference.path().to_path_buf())];
    let since = request.since.as_deref().and_then(Reference::parse);
    found.extend(since.map(|reference| reference.path().to_path_buf()));
    found.extend(request.debug_shell.clone());
    found.extend(request.profiles.iter().map(PathBuf::from));
    found.extend(request.profiles_folder.clone());
    found.extend(request.ca.iter().chain(&request.traces).chain(&request.documents.locked).cloned());
    found.extend(CPUS.iter().map(PathBuf::from));
    found
}

/// Directories in which outputs are created, and existing files at the destinations: a symlink there may lead
/// elsewhere.
fn written(request: &PackRequest) -> Vec<PathBuf> {
    let mut found = vec![std::env::temp_dir()];
    let destinations: Vec<Destination> =
        request.outputs.iter().filter_map(|text| Destination::parse(text).ok()).collect();
    let images = destinations.iter().filter(|found| found.has_path()).map(Destination::path);
    for path in images.chain(request.documents.written().map(PathBuf::as_path)) {
        found.extend(places(path));
    }
    found.extend(request.cache.clone());
    found
}

/// The directory in which an output is created, and an existing file at its path.
fn places(path: &Path) -> Vec<PathBuf> {
    // No temporary file is created next to a device or a pipe.
    if path.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        return vec![path.to_path_buf()];
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    vec![above.unwrap_or_else(|| Path::new(".")).to_path_buf(), path.to_path_buf()]
}

fn restrict(read: &[PathBuf], written: &[PathBuf], is_offline: bool) -> Result<RulesetStatus, RulesetError> {
    // Older kernels ignore rights that they do not know.
    let abi = ABI::V6;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let ruleset = Ruleset::default()
        // The first version of Landlock forbids every rename to another directory, which outputs need.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?;
    let ruleset = if is_offline { ruleset.handle_access(AccessNet::from_all(abi))? } else { ruleset };
    let status = ruleset
        .scope(Scope::from_all(abi))?
        .create()?
        .add_rules(path_beneath_rules(read, reading))?
        .add_rules(path_beneath_rules(written, AccessFs::from_all(abi) & !AccessFs::Execute))?
        .restrict_self()?;
    Ok(status.ruleset)
}
