//! Runs with too few threads or open files, and documents that cannot be put into place: a result is whole or not there.
//! The kernel sets the limits; the judge is the disk.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{names, scratch, text};
use crate::support::hostile::{Ran, misbehaves, root, wait};
use crate::support::need;
use crate::support::runs::state;

/// A user with no other processes.
const SOMEBODY: &str = "54321";
const LIMIT: Duration = Duration::from_secs(60);

/// A build below a program that sets limits.
fn build(below: &[&str], binary: &Path, dir: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(below[0]);
    command.args(&below[1..]).arg(binary).args(["build", "--root", "root"]).args(args).args(["--", "/bin/x"]);
    wait(command.current_dir(dir).env("TMPDIR", dir), LIMIT)
}

/// A root, and a copy of slimroot that every user can run.
fn world() -> tempfile::TempDir {
    let dir = scratch();
    root(dir.path());
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
    fs::copy(env!("CARGO_BIN_EXE_slimroot"), dir.path().join("slimroot")).expect("copied");
    dir
}

/// Runs a build under ever lower limits: each writes its output or names one of these codes and leaves nothing.
fn ends_well(limit: &str, values: std::ops::Range<u32>, codes: &[&str], user: bool) {
    let dir = world();
    let mut ends = BTreeSet::new();
    for output in ["dir:out", "tar:out", "oci:out"] {
        for value in values.clone() {
            let limit = format!("{limit}={value}");
            let ids = ["--reuid", SOMEBODY, "--regid", SOMEBODY, "--clear-groups"];
            let mut below = vec!["prlimit", &limit, "setpriv"];
            below.extend(if user { &ids[..] } else { &["--no-new-privs"] });
            let before = names(dir.path());
            let ran = build(&below, &dir.path().join("slimroot"), dir.path(), &["-o", output]);
            assert_eq!(misbehaves(&ran), None, "{limit} {output}: {ran:?}");
            ends.insert(ran.code);
            if ran.code == Some(0) {
                let out = dir.path().join("out");
                if out.is_dir() { fs::remove_dir_all(out) } else { fs::remove_file(out) }.expect("it was made");
            } else {
                let is_known = codes.iter().any(|code| ran.err.contains(&format!("error[{code}]")));
                assert!(is_known && ran.err.contains("  help  "), "{limit} {output}: {ran:?}");
            }
            assert_eq!(names(dir.path()), before, "{limit} {output}: {ran:?}");
        }
    }
    assert!(ends.contains(&Some(0)) && ends.len() > 1, "{ends:?}");
}

#[test]
fn too_few_threads_are_an_error() {
    if need::all(&["prlimit", "setpriv"]) {
        ends_well("--nproc", 1..9, &["no-thread"], true);
    }
}

#[test]
fn too_few_open_files_leave_nothing() {
    if need::all(&["prlimit", "setpriv"]) {
        ends_well("--nofile", 7..24, &["unreadable", "output-unwritable", "bad-elf", "root-missing"], false);
    }
}

#[test]
fn an_image_and_its_documents_get_into_place_together() {
    if !need::all(&["strace"]) {
        return;
    }
    let dir = scratch();
    root(dir.path());
    for (name, content) in [("old.tar", "image"), ("old.lock", "lock"), ("old.json", "inventory")] {
        fs::write(dir.path().join(name), content).expect("written");
    }
    let before = state(dir.path());
    let slimroot = Path::new(env!("CARGO_BIN_EXE_slimroot"));
    let new = &["-o", "tar:new.tar", "--lock", "new.lock", "--sbom", "spdx-json=new.json"][..];
    let old = &["--force", "-o", "tar:old.tar", "--lock", "old.lock", "--sbom", "spdx-json=old.json"][..];
    let full = &["-o", "tar:new.tar", "--sbom", "spdx-json=new.json", "--lock", "/dev/full"][..];
    let fails = |below: &[&str], args: &[&str]| {
        let ran = build(below, slimroot, dir.path(), args);
        assert_eq!(misbehaves(&ran), None, "{below:?} {args:?}: {ran:?}");
        assert_eq!(ran.code, Some(3), "{below:?} {args:?}: {ran:?}");
        let after = state(dir.path());
        assert!(after == before, "{below:?} {args:?}: {:?} {ran:?}", after.keys());
    };
    fails(&["env"], full);
    // The image, then the documents. A new image is renamed with a flag that forbids to replace; documents that replace
    // nothing are renamed plainly, and what replaces is exchanged.
    for (call, args) in [("renameat2", old), ("rename", new)] {
        let first = if call == "rename" { 1 } else { 2 };
        for nth in first..first + 2 {
            let fault = format!("inject={call}:error=EIO:when={nth}");
            let trace = "trace=rename,renameat2";
            // Where names cannot be exchanged, a second name keeps the old file; that fails too.
            let links = ["-e", "inject=rename:error=EIO:when=1"];
            let mut below = vec!["strace", "-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", &fault];
            below.extend(if call == "renameat2" { &links[..] } else { &[] });
            fails(&below, args);
        }
    }
    let ran = build(&["env"], slimroot, dir.path(), old);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(names(dir.path()), ["old.json", "old.lock", "old.tar", "root"], "{}", text(dir.path()));
}
