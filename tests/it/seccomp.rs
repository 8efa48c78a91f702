//! `build --seccomp`: the profile permits what programs call under strace, and little else. Cases of the corpus and
//! samples run with their profiles (`behind_a_script`, `samples`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::need;

/// Commands of this machine: threads, a shell with pipes, sockets and name look-ups, an interpreter.
const COMMANDS: &[&[&str]] = &[
    &["xz", "-T2", "-1kc", "/etc/services"],
    &["sort", "--parallel=2", "/etc/services"],
    &["bash", "-c", "ls / | grep -c . ; trap 'echo x' USR1; kill -USR1 $$"],
    &["curl", "-s", "-m", "2", "http://localhost:1/"],
    &["perl", "-MSocket", "-e", "socket(my $s, PF_INET, SOCK_DGRAM, 0); fork // die; wait; print getpwuid(0)"],
];

fn slimroot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("runs")
}

/// The calls that a profile permits.
fn permitted(profile: &Path) -> BTreeSet<String> {
    let text = fs::read(profile).expect("written");
    let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let rules = value["syscalls"].as_array().expect("rules").iter().filter(|rule| rule["action"] == "SCMP_ACT_ALLOW");
    rules
        .flat_map(|rule| rule["names"].as_array().expect("names"))
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}

/// The calls of a run that did not fail because the kernel does not have them.
fn made(dir: &Path, command: &[&str]) -> BTreeSet<String> {
    let log = dir.join("strace");
    let run = Command::new("strace").args(["-f", "-c", "-o"]).arg(&log).arg("--").args(command).output().expect("runs");
    assert!(run.status.code().is_some(), "{command:?}");
    let text = fs::read_to_string(&log).expect("a table");
    let rows = text.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    let names = rows.filter_map(|line| line.split_whitespace().last()).filter(|name| *name != "total");
    names.map(str::to_owned).collect()
}

#[test]
fn a_profile_permits_what_programs_call() {
    if cfg!(not(target_arch = "x86_64")) || !need::all(&["strace", "xz", "curl", "perl"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for command in COMMANDS {
        let profile = dir.path().join("profile.json");
        let shown = profile.display().to_string();
        let mut args = vec!["build", "--dry-run", "--no-inherit", "--seccomp", &shown, "--"];
        args.extend(*command);
        let output = slimroot(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (permitted, made) = (permitted(&profile), made(dir.path(), command));
        // Refused in favour of clone, as by docker.
        let missing: Vec<&String> =
            made.iter().filter(|name| !permitted.contains(*name) && *name != "clone3").collect();
        assert!(made.len() > 10 && missing.is_empty(), "{command:?} calls {missing:?}");
        assert!(permitted.len() < 250 && !permitted.contains("mount"), "{command:?}: {}", permitted.len());
    }
}

/// Runs the program of a bundle, whose root is `root`, with a profile; what was said, and nothing if it ended well.
fn run(runtime: &str, dir: &Path, profile: &Path, user: u32, no_new_privileges: bool) -> Option<String> {
    let place = dir.join("config.json");
    if !place.exists() {
        assert!(Command::new("runc").args(["spec", "-b"]).arg(dir).status().expect("runs").success());
    }
    let mut spec: serde_json::Value = serde_json::from_slice(&fs::read(&place).expect("made")).expect("JSON");
    let rules: serde_json::Value = serde_json::from_slice(&fs::read(profile).expect("a profile")).expect("JSON");
    spec["linux"]["seccomp"] = rules;
    let process = &mut spec["process"];
    process["args"] = serde_json::json!(["/program"]);
    process["terminal"] = false.into();
    process["noNewPrivileges"] = no_new_privileges.into();
    process["user"] = serde_json::json!({"uid": user, "gid": user});
    process["rlimits"] = serde_json::json!([]);
    fs::write(&place, spec.to_string()).expect("written");
    // crun refuses a machine with control groups of both versions.
    let groups =
        "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec crun --cgroup-manager=disabled \"$@\"";
    let mut command = match runtime {
        "crun" => {
            let mut command = Command::new("unshare");
            command.args(["-m", "sh", "-c", groups, "sh"]);
            command
        }
        _ => Command::new(runtime),
    };
    let state = dir.join("state");
    command.arg("--root").arg(state).args(["run", "-b"]).arg(dir).arg(format!("slimroot-seccomp-{runtime}"));
    let output = command.stdin(std::process::Stdio::null()).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code() != Some(7)).then(|| format!("{:?}: {said}", output.status))
}

/// What runtimes call themselves under the profile: the program makes no call but exit(2).
#[test]
fn runtimes_start_a_program_that_calls_nothing() {
    if cfg!(not(target_arch = "x86_64")) || !need::all(&["gcc", "runc", "crun", "unshare"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("rootfs")).expect("made");
    let (source, program, profile) =
        (dir.path().join("source.c"), dir.path().join("rootfs/program"), dir.path().join("profile.json"));
    fs::write(&source, "void _start(void) { __asm__(\"mov $7, %edi; mov $60, %eax; syscall\"); }\n").expect("written");
    let compiled = Command::new("gcc").args(["-static", "-nostdlib", "-o"]).args([&program, &source]).status();
    assert!(compiled.expect("runs").success());
    let (root, file) = (dir.path().join("rootfs").display().to_string(), profile.display().to_string());
    let output = slimroot(&["build", "--dry-run", "--root", &root, "--seccomp", &file, "--", "/program"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let permitted = permitted(&profile);
    assert!(permitted.len() < 80 && !permitted.contains("socket"), "{permitted:?}");
    for runtime in ["runc", "crun"] {
        for (user, no_new_privileges) in [(0, false), (0, true), (1000, false), (1000, true)] {
            let failed = run(runtime, dir.path(), &profile, user, no_new_privileges);
            assert_eq!(failed, None, "{runtime} {user} {no_new_privileges}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    if cfg!(not(target_arch = "x86_64")) || !need::all(&["gcc", "aarch64-linux-gnu-gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let compiled = |compiler: &str, name: &str, source: &str| {
        fs::create_dir_all(dir.path().join(name)).expect("made");
        fs::write(at("source.c"), source).expect("written");
        let done = Command::new(compiler)
            .args(["-static", "-O2", "-o", &at(&format!("{name}/program")), &at("source.c")])
            .status();
        assert!(done.expect("runs").success());
    };
    // A number that comes from outside is among the constants of nobody, but the profile has what the libc itself calls.
    compiled(
        "gcc",
        "own",
        "#include <unistd.h>\n#include <sys/syscall.h>\nint main(void) { return syscall(SYS_getcpu, 0, 0, 0); }\n",
    );
    let output =
        slimroot(&["build", "--dry-run", "--root", &at("own"), "--seccomp", &at("own.json"), "--", "/program"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let own = permitted(Path::new(&at("own.json")));
    assert!(own.contains("getcpu") && own.len() < 200, "{}", own.len());
    // slimroot's own probe is packed too, here beside a program that calls nothing.
    fs::create_dir_all(dir.path().join("bare")).expect("made");
    fs::write(at("bare.c"), "void _start(void) { for (;;) ; }\n").expect("written");
    let bare = Command::new("gcc").args(["-static", "-nostdlib", "-o", &at("bare/program"), &at("bare.c")]).status();
    assert!(bare.expect("runs").success());
    let calls = |name: &str, options: &[&str]| {
        let profile = at(name);
        let first = ["build", "--dry-run", "--root", &at("bare"), "--seccomp", &profile];
        let output = slimroot(&[&first[..], options, &["--", "/program"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        permitted(Path::new(&profile))
    };
    let (bare, probed) = (calls("bare.json", &[]), calls("probed.json", &["--healthcheck", "http://127.0.0.1:80/"]));
    assert!(!bare.contains("connect") && probed.contains("connect"), "{bare:?} {probed:?}");
    // A text that calls a number.
    fs::create_dir_all(dir.path().join("own/srv")).expect("made");
    fs::write(at("own/srv/x.pl"), "my $n = shift; syscall($n, 0);\n").expect("written");
    let output = slimroot(&[
        "build",
        "--dry-run",
        "--root",
        &at("own"),
        "-i",
        "/srv/x.pl",
        "--seccomp",
        &at("any.json"),
        "--",
        "/program",
    ]);
    let report = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(report.contains("/srv/x.pl calls syscall(2)"), "{report}");
    assert!(permitted(Path::new(&at("any.json"))).len() > 280);
    compiled("aarch64-linux-gnu-gcc", "arm", "int main(void) { return 0; }\n");
    let output =
        slimroot(&["build", "--dry-run", "--root", &at("arm"), "--seccomp", &at("arm.json"), "--", "/program"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("seccomp-machine") && !Path::new(&at("arm.json")).exists()
    );
}
