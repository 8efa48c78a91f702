//! Runs of slimroot, a small root for them, and what they leave on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn slimroot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("slimroot runs")
}

/// The standard output of a run that succeeds.
pub fn told(args: &[&str]) -> String {
    let output = slimroot(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory whose `root` has /bin/true of this machine.
pub fn world() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for file in ["bin/true", "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"] {
        let place = dir.path().join("root").join(file);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(Path::new("/").join(file), place).expect("a file of this machine");
    }
    dir
}

/// Mode and content of everything below a directory, but not of its `root`.
pub fn state(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("listed") {
            let path = entry.expect("an entry").path();
            let meta = fs::symlink_metadata(&path).expect("there");
            if meta.is_dir() && !path.ends_with("root") {
                open.push(path.clone());
            }
            let content = if meta.is_file() { fs::read(&path).expect("read") } else { Vec::new() };
            found.insert(path, (meta.mode(), content));
        }
    }
    found
}
