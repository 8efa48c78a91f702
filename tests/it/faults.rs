//! File systems that cannot exchange two names, and renames that fail half way. strace makes the kernel's calls fail; the
//! judge is the disk.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::need;
use crate::support::runs::{self, state};

/// As of a file system without RENAME_EXCHANGE and RENAME_NOREPLACE.
const NO_FLAGS: &str = "inject=renameat2:error=EINVAL";
const CANNOT_WRITE: i32 = 3;

/// A root with /bin/true of this machine, and old results: a directory and an archive.
fn world() -> tempfile::TempDir {
    let dir = runs::world();
    fs::create_dir_all(dir.path().join("tree/deep")).expect("made");
    fs::write(dir.path().join("tree/deep/file"), "old").expect("written");
    fs::write(dir.path().join("a.tar"), "old").expect("written");
    dir
}

/// Runs a build with `--force` in which calls fail as strace is told to let them.
fn run(dir: &Path, faults: &[&str], outputs: &[&str]) -> (Output, String) {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename,renameat2"]);
    faults.iter().for_each(|fault| _ = command.args(["-e", fault]));
    command.arg(env!("CARGO_BIN_EXE_slimroot")).args(["build", "--root", "root", "--force"]);
    outputs.iter().for_each(|output| _ = command.args(["-o", output]));
    let output = command.args(["--", "/bin/true"]).current_dir(dir).output().expect("strace runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn results_are_replaced_where_names_cannot_be_exchanged() {
    if !need::all(&["strace", "tar"]) {
        return;
    }
    let dir = world();
    let (output, said) = run(dir.path(), &[NO_FLAGS], &["tar:a.tar", "dir:tree", "tar:new.tar"]);
    assert!(output.status.success(), "{said}");
    let names: Vec<_> =
        fs::read_dir(dir.path()).expect("listed").map(|entry| entry.expect("one").file_name()).collect();
    assert_eq!(names.len(), 4, "nothing temporary is left: {names:?}");
    assert!(dir.path().join("tree/bin/true").exists() && !dir.path().join("tree/deep").exists());
    for archive in ["a.tar", "new.tar"] {
        let listed = Command::new("tar").arg("-tf").arg(dir.path().join(archive)).output().expect("tar runs");
        assert!(String::from_utf8_lossy(&listed.stdout).contains("bin/true"), "{archive}");
    }
}

#[test]
fn a_rename_that_fails_half_way_is_taken_back() {
    if !need::all(&["strace"]) {
        return;
    }
    // The renames of a directory: the old one away, the new one into place. That of a file before it: into place.
    for (fault, outputs) in [
        ("inject=rename:error=EIO:when=1", &["dir:tree"][..]),
        ("inject=rename:error=EIO:when=2", &["dir:tree"]),
        ("inject=rename:error=EIO:when=1", &["tar:a.tar"]),
        ("inject=rename:error=EIO:when=2", &["tar:a.tar", "dir:tree"]),
        ("inject=rename:error=EIO:when=3", &["tar:a.tar", "dir:tree"]),
    ] {
        let dir = world();
        let before = state(dir.path());
        let (output, said) = run(dir.path(), &[NO_FLAGS, fault], outputs);
        assert_eq!(output.status.code(), Some(CANNOT_WRITE), "{fault} {outputs:?}: {said}");
        assert!(said.contains("error[output-unwritable]"), "{fault} {outputs:?}: {said}");
        let after = state(dir.path());
        assert!(after == before, "{fault} {outputs:?}: {:?} {said}", after.keys());
    }
}

#[test]
fn an_old_result_that_cannot_be_put_back_is_kept_and_named() {
    if !need::all(&["strace"]) {
        return;
    }
    let dir = world();
    let (output, said) = run(dir.path(), &[NO_FLAGS, "inject=rename:error=EIO:when=2+"], &["dir:tree"]);
    assert_eq!(output.status.code(), Some(CANNOT_WRITE), "{said}");
    let old = state(dir.path()).into_iter().find(|(path, _)| path.ends_with("deep/file"));
    let (path, (_, content)) = old.expect("the old result is somewhere");
    assert_eq!(content, b"old");
    let kept = path.ancestors().nth(2).expect("its directory").file_name().expect("a name").to_string_lossy();
    assert!(said.contains(&*kept), "{kept}: {said}");
    // The next run sweeps what is temporary, and not what is the user's.
    let (output, said) = run(dir.path(), &[], &["dir:tree"]);
    assert!(output.status.success(), "{said}");
    assert!(path.exists() && dir.path().join("tree/bin/true").exists());
}
