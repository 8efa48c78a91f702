//! Roots that nobody vouches for, and runs that are disturbed: each case is run with limits on time and memory and judged by
//! the kernel and the bytes. What a terminal, a shell and an engine make of the text is asked of them.

mod bounds;
mod changes;
mod fence;
mod guests;
mod outputs;
mod reports;
mod scarce;
mod signals;
mod slow_images;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::hostile::{Ran, limited};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn slimroot() -> Command {
    Command::new(env!("CARGO_BIN_EXE_slimroot"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Packs a root into an archive; options are separated by spaces.
fn archived(root: &Path, archive: &Path, options: &str) -> Ran {
    let (root, archive) = (text(root), format!("tar:{}", text(archive)));
    let fixed = ["build", "--root", &root, "-o", &archive];
    limited(&fixed.into_iter().chain(options.split(' ')).collect::<Vec<_>>())
}

/// Names in a directory, hidden ones too.
fn names(dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found
}

fn chown(path: &Path, uid: u32) {
    std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("given away");
}
