//! Removes temporary files that killed runs have left next to a destination; the next run at the same place does this.
//!
//! Everything temporary is locked as long as its run lives (flock(2); the kernel releases the lock however the process
//! ends), so a file that can be locked has no owner. Previous contents, moved away under `old`, belong to the user and
//! stay.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags};

use super::aside::{own_ids, parent, remove, short};

/// First parts of temporary names, besides the name of the destination itself.
const OWN: [&str; 4] = ["rootfs", "layer", "index.json", "stream"];

/// Removes leftovers of a destination; returns the number of files and directories.
pub(super) fn sweep(destination: &Path) -> usize {
    let destination: std::path::PathBuf = destination.components().collect();
    let is_own_dir = fs::symlink_metadata(&destination).is_ok_and(|meta| meta.is_dir());
    let dirs = std::iter::once(parent(&destination)).chain(is_own_dir.then_some(destination.as_path()));
    let name = short(&destination);
    let mut count = 0;
    for dir in dirs {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let text = entry.file_name().to_string_lossy().into_owned();
            let is_ours = OWN.iter().chain([&name.as_str()]).any(|first| is_named(&text, first));
            if is_ours && take(&entry.path()) {
                count += 1;
            }
        }
    }
    count
}

/// True if the name has the form `.FIRST.slimroot-PID-NUMBER.WHAT`.
fn is_named(name: &str, first: &str) -> bool {
    let rest = name.strip_prefix('.').and_then(|rest| rest.strip_prefix(first)?.strip_prefix(".slimroot-"));
    let Some((numbers, what)) = rest.and_then(|rest| rest.split_once('.')) else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let are_numbers = numbers.split_once('-').is_some_and(|(pid, number)| is_number(pid) && is_number(number));
    are_numbers && (matches!(what, "dir" | "file" | "json" | "document") || what.starts_with("layer-"))
}

/// Removes a file or directory of this user that no run has locked.
fn take(path: &Path) -> bool {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Ok(file) = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path) else { return false };
    let Ok(meta) = file.metadata() else { return false };
    let is_plain = meta.is_file() || meta.is_dir();
    if !is_plain || meta.uid() != own_ids().0 {
        return false;
    }
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return false;
    }
    // By path from here on: anyone who can replace the entry could also remove it.
    remove(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_were_given_by_a_run_are_swept() {
        assert!(is_named(".out.slimroot-12-0.file", "out"));
        assert!(is_named(".out.slimroot-12-3.layer-gzip", "out"));
        for other in
            [".out.slimroot-12-0.old", ".out.slimroot-x-0.file", "out.slimroot-1-0.file", ".out2.slimroot-1-0.file"]
        {
            assert!(!is_named(other, "out"), "{other}");
        }
    }
}
