//! Runs that are ended, and what they leave.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{names, scratch, slimroot, text};
use crate::support::hostile::{root, slowdown, write_program};

/// Maximum time until a process handles signals.
const START: Duration = Duration::from_secs(10);

/// What counts as at once: 0.3 seconds, and longer on a machine with more to do than it has processors.
pub(super) fn at_once() -> Duration {
    Duration::from_millis(300).mul_f64(slowdown())
}

/// How long a run went on after a signal, and how it ended.
pub(super) fn signalled(
    command: &mut Command,
    after: Duration,
    signal: Signal,
) -> (Option<Duration>, Option<i32>, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    // On a busy machine it may be some time before it handles signals.
    let begun = Instant::now();
    while !handles(child.id(), signal) && begun.elapsed() < START {
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(after);
    let id = Pid::from_raw(child.id().cast_signed()).expect("a process");
    let begun = Instant::now();
    kill_process(id, signal).expect("sent");
    let ran = child.wait_with_output().expect("it ends");
    (Some(begun.elapsed()), ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// True if the process handles this signal, as the kernel says (proc_pid_status(5), `SigCgt`).
fn handles(id: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
}

/// A root that takes long to plan and long to pack.
fn long_root(dir: &Path) -> PathBuf {
    let root = root(dir);
    for at in 0..3_000 {
        let sub = root.join(format!("x/{}", at % 60));
        fs::create_dir_all(&sub).expect("made");
        fs::write(sub.join(format!("f{at}")), vec![(at % 251) as u8; 40_000]).expect("written");
    }
    fs::write(root.join("x/big"), vec![7; 64 << 20]).expect("written");
    let script = format!("#!/bin/x\n{}", "if true; then cat /x/*; fi\n".repeat(8_000));
    write_program(&root.join("bin/script"), script.as_bytes());
    root
}

/// Judge: the kernel says when the process is gone, and the disk what it left.
#[test]
fn a_signal_ends_every_phase_at_once_and_leaves_nothing() {
    let dir = scratch();
    let root = long_root(dir.path());
    let temporary = dir.path().join("tmp");
    fs::create_dir(&temporary).expect("made");
    let out = dir.path().join("place");
    fs::create_dir(&out).expect("made");
    let whole = Instant::now();
    let build = |transport: &str| {
        let mut command = slimroot();
        command.args(["build", "--root", &text(&root), "-i", "/x/**", "--bin", "/bin/script", "-o"]);
        command.arg(format!("{transport}:{}/out", text(&out))).args(["--compression", "zstd:19", "--", "/bin/x"]);
        command.env("TMPDIR", &temporary);
        command
    };
    assert!(build("oci").output().expect("it runs").status.success());
    fs::remove_dir_all(out.join("out")).expect("removed");
    let whole = whole.elapsed();
    let (mut ended, mut slow) = (0, Vec::new());
    for (number, transport) in
        ["dir", "tar", "oci", "oci-archive", "docker-archive"].iter().cycle().take(30).enumerate()
    {
        let signal = [Signal::TERM, Signal::INT, Signal::HUP][number % 3];
        let after = whole * (number as u32 + 1) / 31;
        let (took, code, said) = signalled(&mut build(transport), after, signal);
        if code.is_none() && said.is_empty() && after < Duration::from_millis(300) {
            // It had not yet begun: the kernel itself ended it.
            continue;
        }
        if code == Some(0) {
            let _ = fs::remove_dir_all(out.join("out"));
            let _ = fs::remove_file(out.join("out"));
            assert_eq!(names(&out), [""; 0], "{said}");
            continue;
        }
        ended += 1;
        assert_eq!(code, Some(130), "{transport} after {after:?}: {said}");
        assert!(said.contains("error[interrupted]"), "{said}");
        assert_eq!(names(&out), [""; 0], "{transport} after {after:?} leaves something: {said}");
        assert_eq!(names(&temporary), [""; 0], "{transport} after {after:?} leaves something: {said}");
        slow.extend(took.filter(|took| *took > at_once()).map(|took| (transport, after, took)));
    }
    assert!(ended > 10, "only {ended} runs were ended");
    // A machine that does other work may hold some of them up.
    assert!(slow.len() * 4 <= ended, "{slow:?} of {ended}");
}

/// Judge: the machine's own files. What a run that was killed left is gone after the next, what another run has is not.
#[test]
fn what_killed_runs_left_is_swept_by_the_next() {
    let dir = scratch();
    let root = long_root(dir.path());
    let place = dir.path().join("place");
    fs::create_dir(&place).expect("made");
    let command = |transport: &str| {
        let mut command = slimroot();
        command.args(["build", "--root", &text(&root), "-i", "/x/**", "--force", "-o"]);
        command.arg(format!("{transport}:{}/out", text(&place))).args(["--compression", "zstd:19", "--", "/bin/x"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let is_left = |place: &Path| names(place).iter().any(|name| name.starts_with('.'));
    for transport in ["dir", "tar", "oci-archive", "oci"] {
        let _ = (fs::remove_dir_all(place.join("out")), fs::remove_file(place.join("out")));
        let begun = Instant::now();
        assert!(command(transport).output().expect("it runs").status.success());
        let whole = begun.elapsed();
        let _ = (fs::remove_dir_all(place.join("out")), fs::remove_file(place.join("out")));
        for after in (1..60).rev().map(|at| whole * at / 60) {
            let mut child = command(transport).spawn().expect("it starts");
            std::thread::sleep(after);
            child.kill().expect("killed");
            child.wait().expect("waited for");
            if is_left(&place) {
                break;
            }
            let _ = (fs::remove_dir_all(place.join("out")), fs::remove_file(place.join("out")));
        }
        assert!(is_left(&place), "{transport}: no kill left anything");
        // Names that only look like ours stay.
        let strange = [".other.slimroot-1-0.file", ".out.slimroot-1-0.old", ".out.slimroot-2-0.dir"];
        fs::write(place.join(strange[0]), "mine").expect("written");
        fs::create_dir(place.join(strange[1])).expect("made");
        symlink(&root, place.join(strange[2])).expect("linked");
        // Files of a run that still works are locked.
        let live = fs::File::create(place.join(".out.slimroot-3-0.file")).expect("made");
        rustix::fs::flock(&live, rustix::fs::FlockOperation::LockExclusive).expect("locked");
        let ran = command(transport).output().expect("it runs");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{said}");
        let expected = [strange[0], strange[1], strange[2], ".out.slimroot-3-0.file", "out"];
        assert_eq!(names(&place), expected, "{transport}: {said}");
        assert!(root.join("bin/x").exists(), "a link was followed");
        fs::remove_dir(place.join(strange[1])).expect("removed");
        for name in [strange[0], strange[2], ".out.slimroot-3-0.file"] {
            fs::remove_file(place.join(name)).expect("removed");
        }
        assert!(fs::symlink_metadata(place.join("out")).expect("packed").size() > 0);
    }
}
