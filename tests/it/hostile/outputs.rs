//! Destinations that are prepared by others, and several runs at once.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{names, scratch, slimroot, text};
use crate::support::hostile::{limited, misbehaves, root, wait};

/// Judge: the disk outside of the layout.
#[test]
fn an_output_follows_no_link_of_a_layout() {
    let dir = scratch();
    let root = root(dir.path());
    for part in ["blobs", "blobs/sha256", "index.json", "oci-layout"] {
        let layout = dir.path().join("layout");
        let outside = dir.path().join("outside");
        let _ = (fs::remove_dir_all(&layout), fs::remove_dir_all(&outside));
        fs::create_dir(&outside).expect("made");
        let build = |force: bool| {
            let output = format!("oci:{}:v1", text(&layout));
            let root = text(&root);
            let mut args = vec!["build", "--root", &root, "-o", &output, "--", "/bin/x"];
            if force {
                args.insert(1, "--force");
            }
            limited(&args)
        };
        assert_eq!(build(false).code, Some(0));
        let moved = if part.starts_with("blobs") { outside.join("empty") } else { outside.join("file") };
        fs::rename(layout.join(part), &moved).expect("moved");
        if part == "blobs" {
            fs::remove_dir_all(moved.join("sha256")).expect("emptied");
        }
        symlink(&moved, layout.join(part)).expect("linked");
        let before = Command::new("find").arg(&outside).args(["-printf", "%p %s %T@\n"]).output().expect("find").stdout;
        for force in [false, true] {
            let ran = build(force);
            assert_eq!(misbehaves(&ran), None, "{part}: {ran:?}");
            assert_ne!(ran.code, Some(0), "{part}: {ran:?}");
        }
        let after = Command::new("find").arg(&outside).args(["-printf", "%p %s %T@\n"]).output().expect("find").stdout;
        assert_eq!(String::from_utf8_lossy(&before), String::from_utf8_lossy(&after), "{part}");
    }
}

#[test]
fn an_archive_for_a_closed_stdout_is_an_error() {
    let dir = scratch();
    let root = root(dir.path());
    for transport in ["tar", "oci-archive", "docker-archive"] {
        let line = format!("exec \"$0\" build --root {} -o {transport}:- -- /bin/x >&-", text(&root));
        let ran = wait(Command::new("sh").args(["-c", &line, env!("CARGO_BIN_EXE_slimroot")]), Duration::from_secs(60));
        assert_eq!(ran.code, Some(3), "{transport}: {ran:?}");
        assert!(ran.err.starts_with("error[output-unwritable]"), "{transport}: {ran:?}");
    }
}

#[test]
fn of_several_runs_at_once_one_gets_the_place() {
    for transport in ["tar", "oci-archive", "docker-archive", "dir"] {
        let dir = scratch();
        let root = root(dir.path());
        fs::write(root.join("big"), vec![7; 8 << 20]).expect("written");
        let place = dir.path().join("place");
        fs::create_dir(&place).expect("made");
        let start = || {
            let mut command = slimroot();
            command.args([
                "build",
                "--root",
                &text(&root),
                "-i",
                "/big",
                "-o",
                &format!("{transport}:{}/out", text(&place)),
            ]);
            command.args(["--", "/bin/x"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
        };
        let runs: Vec<_> = (0..4).map(|_| start()).collect();
        let mut codes = Vec::new();
        for run in runs {
            let ran = run.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(ran.status.code() == Some(0) || said.starts_with("error[output-exists]"), "{transport}: {said}");
            codes.push(ran.status.code());
        }
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{transport}: {codes:?}");
        assert_eq!(names(&place), ["out"], "{transport}");
    }
}
