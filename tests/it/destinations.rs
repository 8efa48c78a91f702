//! Owners in the image, and several destinations in one run. The judges are stat(2), GNU tar and the disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::need;
use crate::support::runs::{state, text, world};

fn build(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    command.args(["build", "--root", "root"]).args(args).args(["--", "/bin/true"]).current_dir(dir);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ran(dir: &Path, args: &[&str]) -> Output {
    build(dir, args).output().expect("slimroot runs")
}

/// Owner, group and mode of files that lie in /data.
const FILES: [(&str, u32, u32, u32); 4] = [
    ("app", 1000, 1000, 0o4755),
    ("group", 1001, 1000, 0o2755),
    ("other", 1001, 1002, 0o4755),
    ("plain", 1000, 1002, 0o640),
];

#[test]
fn owners_are_mapped_and_set_id_bits_dropped() {
    if !need::all(&["tar"]) {
        return;
    }
    let dir = world();
    let data = dir.path().join("root/data");
    fs::create_dir(&data).expect("made");
    for (name, uid, gid, mode) in FILES {
        fs::write(data.join(name), "x").expect("written");
        chown(data.join(name), Some(uid), Some(gid)).expect("given away");
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    symlink("app", data.join("link")).expect("linked");
    std::os::unix::fs::lchown(data.join("link"), Some(1000), Some(1000)).expect("given away");
    let expected =
        [("app", 0, 0, 0o755), ("group", 1001, 0, 0o755), ("other", 1001, 1002, 0o4755), ("plain", 0, 1002, 0o640)];

    let map = ["-i", "/data/**", "--owner-map", "1000:1000=0:0"];
    let output = ran(dir.path(), &[&["-o", "dir:tree", "-o", "tar:out.tar"], &map[..]].concat());
    let said = text(&[output.stdout, output.stderr].concat());
    assert!(output.status.success(), "{said}");
    let stat = |name: &str| {
        let meta = fs::symlink_metadata(dir.path().join("tree/data").join(name)).expect("packed");
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    for (name, uid, gid, mode) in expected {
        assert_eq!(stat(name), (uid, gid, mode), "{name}");
    }
    assert_eq!(stat("link"), (0, 0, 0o777));
    let listed = Command::new("tar").args(["-tv", "--numeric-owner", "-f"]).arg(dir.path().join("out.tar")).output();
    let listed = text(&listed.expect("tar runs").stdout);
    for line in ["-rwxr-xr-x 0/0", "-rwxr-xr-x 1001/0", "-rwsr-xr-x 1001/1002", "-rw-r----- 0/1002", "lrwxrwxrwx 0/0"] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    for (name, is_told) in [("app", true), ("group", true), ("other", false), ("plain", false)] {
        assert_eq!(said.contains(&format!("/data/{name} loses its set-id bits")), is_told, "{name}: {said}");
    }

    // The file of settings has the same option.
    fs::write(dir.path().join("slimroot.toml"), "include = [\"/data/**\"]\nowner-map = [\"1000:1000=7:8\"]\n")
        .expect("written");
    let output = ran(dir.path(), &["--config", "slimroot.toml", "-o", "dir:tree", "--force"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(stat("app"), (7, 8, 0o755));

    for bad in ["1000=0", "app:app=0:0", "1000:1000=4294967295:0"] {
        let output = ran(dir.path(), &["-o", "dir:bad", "--owner-map", bad]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", text(&output.stderr));
        assert!(!dir.path().join("bad").exists());
    }
}

/// A run whose last destination becomes impossible when all others are complete. A pipe holds the run at that moment: its
/// reader comes after the change.
fn interfered(dir: &Path, args: &[&str], change: impl FnOnce()) -> Output {
    let pipe = dir.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let child = build(dir, &[args, &["-o", "tar:pipe"]].concat()).spawn().expect("slimroot runs");
    // Only the pipe is left to write when a thread stays in openat(2), which waits for a reader (fifo(7)).
    let opens = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
        let call = |task: fs::DirEntry| fs::read_to_string(task.path().join("syscall")).ok();
        let number = format!("{} ", libc::SYS_openat);
        tasks.filter_map(call).find(|call| call.starts_with(&number))
    };
    let begun = Instant::now();
    let mut last = None;
    loop {
        let now = opens();
        if now.is_some() && now == last {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not open the pipe");
        last = now;
        std::thread::sleep(Duration::from_millis(50));
    }
    change();
    let mut reader = Command::new("cat").arg(&pipe).stdout(Stdio::null()).spawn().expect("cat runs");
    let output = child.wait_with_output().expect("it ends");
    reader.wait().expect("it ends");
    fs::remove_file(pipe).expect("removed");
    output
}

#[test]
fn destinations_get_into_place_together_or_not_at_all() {
    for has_old in [false, true] {
        let dir = world();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("empty")).expect("made");
        if has_old {
            assert!(ran(dir.path(), &["-o", "oci:layout:old"]).status.success());
            assert!(ran(dir.path(), &["-o", "oci:layout:new", "--user", "7:7"]).status.success());
            fs::create_dir(at("tree")).expect("made");
            for file in ["tree/old", "a.tar", "b.tar", "archive"] {
                fs::write(at(file), "old").expect("written");
            }
        }
        // What makes the last destination impossible is part of both states.
        let hurdle = || {
            let _ = fs::remove_file(at("b.tar"));
            fs::create_dir(at("b.tar")).expect("made");
            fs::write(at("b.tar/mine"), "mine").expect("written");
        };
        let before = {
            hurdle();
            let state = state(dir.path());
            fs::remove_dir_all(at("b.tar")).expect("removed");
            if has_old {
                fs::write(at("b.tar"), "old").expect("written");
            }
            state
        };
        let args = [
            "-o",
            "tar:a.tar",
            "-o",
            "dir:tree",
            "-o",
            "dir:empty",
            "-o",
            "oci-archive:archive",
            "-o",
            "oci:layout:new",
            "-o",
            "tar:b.tar",
            "--force",
        ];
        let output = interfered(dir.path(), &args, hurdle);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("error[output-unwritable]") && said.contains("b.tar"), "{said}");
        assert!(!said.contains("already in place: "), "{said}");
        let after = state(dir.path());
        let differs: Vec<&PathBuf> = before
            .iter()
            .filter(|(path, entry)| after.get(*path) != Some(entry))
            .map(|(path, _)| path)
            .chain(after.keys().filter(|path| !before.contains_key(*path)))
            .collect();
        assert!(differs.is_empty(), "{has_old}: {differs:?} {said}");
        // Without the hurdle the same run succeeds.
        fs::remove_dir_all(at("b.tar")).expect("removed");
        let output = ran(dir.path(), &args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(
            fs::read_dir(dir.path())
                .expect("listed")
                .all(|entry| { !entry.expect("an entry").file_name().to_string_lossy().starts_with('.') })
        );
    }
}
