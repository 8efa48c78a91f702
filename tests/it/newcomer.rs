//! What a person meets who uses slimroot for the first time: the settings of a builder stage, files of the build, options
//! without effect, words in the wrong place, the running system as root. The roots are small; shells and tar(1) of this
//! machine are the judges.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::need;

const LIBRARIES: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"];

/// A folder with a root in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let place = Self(dir);
        for file in LIBRARIES.iter().chain(&["/bin/true", "/bin/sh"]) {
            place.copy(file, file);
        }
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join("root").join(path.trim_start_matches('/'))
    }

    fn copy(&self, from: &str, to: &str) {
        let place = self.at(to);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(from, place).expect("a file of this machine");
    }

    fn file(&self, path: &str, text: &str) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::write(&place, text).expect("written");
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).current_dir(self.0.path()).output().expect("runs")
    }

    fn build(&self, args: &[&str]) -> (Value, PathBuf) {
        let out = self.0.path().join("out");
        let line = ["build", "--root", "root", "-o", "out", "--force", "--format", "json"];
        let output = self.run(&[&line[..], args].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no report: {said}")), out)
    }

    fn says(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.run(args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The findings of a code: subject and message.
fn findings(report: &Value, code: &str) -> Vec<(String, String)> {
    let all = report["findings"].as_array().expect("findings");
    let own = all.iter().filter(|finding| finding["code"] == code);
    own.map(|one| (one["subject"].as_str().unwrap_or("").to_owned(), one["says"].as_str().unwrap_or("").to_owned()))
        .collect()
}

#[test]
fn the_settings_of_a_builder_stage_are_those_of_the_image() {
    let dir = tempfile::tempdir().expect("a directory");
    for open in [dir.path().to_path_buf(), dir.path().join("bin")] {
        fs::create_dir_all(&open).expect("made");
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    fs::copy("/bin/true", dir.path().join("bin/its-tool")).expect("copied");
    let path = format!("{}/bin:/usr/bin:/bin", dir.path().display());
    let run = |command: &mut Command| {
        let stage = [("PATH", path.as_str()), ("TZ", "Asia/Tokyo"), ("GEM_HOST_API_KEY", "geheim"), ("HOME", "/root")];
        command.env_clear().envs(stage).env("https_proxy", "http://user:geheim@proxy").current_dir(dir.path());
        command.output().expect("runs")
    };
    let slimroot = |args: &[&str]| {
        let line = ["build", "--dry-run", "--format", "json"];
        run(Command::new(env!("CARGO_BIN_EXE_slimroot")).args(line).args(args))
    };
    let found = run(Command::new("sh").args(["-c", "command -v its-tool"]));
    let output = slimroot(&["--", "its-tool"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["entry"][0], String::from_utf8_lossy(&found.stdout).trim());
    let lines: Vec<&str> = report["dockerfile"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    for wanted in [format!("ENV PATH=\"{path}\""), "ENV TZ=\"Asia/Tokyo\"".to_owned()] {
        assert!(lines.contains(&wanted.as_str()), "{wanted} is not among {lines:?}");
    }
    assert!(lines.contains(&format!("WORKDIR {}", dir.path().display()).as_str()), "{lines:?}");
    let all = String::from_utf8_lossy(&output.stdout);
    assert!(!all.contains("geheim") && !all.contains("https_proxy") && !all.contains("HOME"), "{all}");
    let own = slimroot(&["-e", "TZ=UTC", "-w", "/usr", "--", "its-tool"]);
    let own: Value = serde_json::from_slice(&own.stdout).expect("a report");
    let text = own["dockerfile"].to_string();
    assert!(text.contains("UTC") && text.contains("WORKDIR /usr") && !text.contains("Tokyo"), "{text}");
    // Without them the program is not found, as the shell does not find it with that PATH.
    assert_eq!(slimroot(&["--no-inherit", "--", "its-tool"]).status.code(), Some(3));
}

#[test]
fn files_of_the_build_stay_out_and_are_told_in_one_line() {
    let place = Place::new();
    place.file("/app/start.sh", "#!/bin/sh\nread line </app/data.txt\necho \"$line\"\n");
    for name in ["Dockerfile", ".dockerignore", "compose.yaml", "data.txt", "sub/Dockerfile"] {
        place.file(&format!("/app/{name}"), "data\n");
    }
    place.copy(env!("CARGO_BIN_EXE_slimroot"), "/app/slimroot");
    let (report, out) = place.build(&["--", "/app/start.sh"]);
    let kept = |path: &str| out.join(path).exists();
    assert!(kept("app/data.txt") && kept("app/sub/Dockerfile"), "{report}");
    assert!(!kept("app/Dockerfile") && !kept("app/.dockerignore") && !kept("app/compose.yaml"), "{report}");
    assert!(!kept("app/slimroot"), "slimroot packed itself");
    let told = findings(&report, "build-files-left-out");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(["/app/Dockerfile", "/app/slimroot"].iter().all(|path| told[0].1.contains(path)), "{told:?}");
    let (_, out) = place.build(&["--include", "/app/Dockerfile", "--", "/app/start.sh"]);
    assert!(out.join("app/Dockerfile").exists());
}

#[test]
fn an_exclude_without_effect_is_a_finding() {
    let place = Place::new();
    place.file("/app/start.sh", "#!/bin/sh\ntrue\n/bin/true\n");
    place.file("/app/big.bin", "x");
    let (report, out) =
        place.build(&["-x", "/nonexistent/x", "-x", "/app/*.bin", "-x", "/bin/true", "--", "/app/start.sh"]);
    assert!(!out.join("app/big.bin").exists() && out.join("bin/true").exists());
    assert_eq!(
        findings(&report, "nothing-matched").iter().map(|one| one.0.as_str()).collect::<Vec<_>>(),
        ["/nonexistent/x"]
    );
    let kept = findings(&report, "exclude-overruled");
    assert_eq!(kept.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["/bin/true"], "{report}");
}

#[test]
fn no_shell_keeps_shells_out_and_tells_who_asks() {
    let place = Place::new();
    let args = ["--no-shell", "--include", "/bin/sh", "--", "/bin/true"];
    let (report, out) = place.build(&args);
    assert!(out.join("bin/true").exists() && !out.join("bin/sh").exists() && !out.join("bin/dash").exists());
    let told = findings(&report, "shell-left-out");
    assert!(told.iter().any(|one| one.1.contains("--include")), "{report}");
    place.file("/app/start.sh", "#!/bin/sh\n/bin/true\n");
    let (code, said) = place.says(&["build", "--root", "root", "--dry-run", "--no-shell", "--", "/app/start.sh"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("/bin/sh"), "{said}");
}

#[test]
fn words_in_the_wrong_place_get_a_tip_that_works() {
    let place = Place::new();
    for (line, tip) in [
        ("build /bin/true --root root -o out", "slimroot build --root root -o out -- /bin/true"),
        ("build --root root --entry /bin/true -o out", "after --"),
        ("build --root root --push -o out", "-o docker://HOST/NAME:TAG"),
        ("build --root root -Z /bin/true", ""),
        ("build --root root --port 80 -o out", "--expose PORT"),
        ("build --root root --enty /bin/true", "after --"),
        ("build --root root --rm -o out", "leave it out"),
        ("build --root root --volumes /x -o out", "'--volume'"),
        ("deps --root root /bin/true there", "without its arguments: slimroot deps --root root /bin/true"),
        ("build root", "slimroot build --root root -o DEST -- PROGRAM"),
        ("build shop:1", "slimroot slim shop:1"),
    ] {
        let (code, said) = place.says(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(tip) && !said.contains("'-- -") && !said.contains("--deny"), "{said}");
    }
    // The first tip, pasted into a shell, does what was meant.
    let (_, said) = place.says(&["build", "/bin/true", "--root", "root", "-o", "out"]);
    let tip = said.split("after --: slimroot ").nth(1).and_then(|rest| rest.lines().next()).expect("a tip");
    let slimroot = env!("CARGO_BIN_EXE_slimroot");
    let ran = Command::new("sh").arg("-c").arg(format!("{slimroot} {tip}")).current_dir(place.0.path()).output();
    assert!(ran.expect("sh runs").status.success() && place.0.path().join("out/bin/true").exists());
}

/// Words that engines refuse when a container starts, and options without effect, are errors of the command line.
#[test]
fn what_would_do_nothing_or_never_start_is_refused() {
    let place = Place::new();
    for (options, why) in [
        (&["--stop-signal", "SIGFOO"][..], "is not a signal"),
        (&["--stop-signal", "SIGRTMIN+x"], "is not a signal"),
        (&["--ready", "tcp:80"], "no effect without --verify"),
        (&["--platform", "linux/arm64"], "the root is a directory"),
        (&["--allow", "foo"], "no check has the code foo\n"),
    ] {
        let line = [&["build", "--root", "root", "--dry-run"], options, &["--", "/bin/true"]].concat();
        let (code, said) = place.says(&line);
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
    for signal in ["SIGRTMIN+3", "SIGRTMAX-1", "SIGWINCH", "9"] {
        let (code, said) =
            place.says(&["build", "--root", "root", "--dry-run", "--stop-signal", signal, "--", "/bin/true"]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = place.says(&["build", "--root", "root", "--dry-run", "--", "true and words"]);
    assert!(code == Some(3) && said.contains("without quotes around it: -- true and words"), "{said}");
}

#[test]
fn an_image_as_root_without_its_transport_gets_it_named() {
    let place = Place::new();
    let build = ["build", "--root", "root", "-o"];
    for output in ["docker-archive:fat.tar", "oci-archive:fat.oci"] {
        assert!(place.run(&[&build[..], &[output, "--", "/bin/true"]].concat()).status.success());
        let file = output.split(':').nth(1).expect("a file");
        let (code, said) = place.says(&["build", "--root", file, "--dry-run"]);
        assert_eq!(code, Some(3), "{said}");
        // The tip does what was meant.
        let tip = said.split("--root ").nth(1).and_then(|rest| rest.lines().next()).expect("a tip");
        assert!(place.run(&["build", "--root", tip, "--dry-run"]).status.success(), "{said}");
        assert!(place.run(&["why", "--root", tip, "/bin/true"]).status.success());
        let (code, said) = place.says(&["check", output, "--format", "json"]);
        assert!(code == Some(2) && said.contains(&format!("slimroot check --format … {output}")), "{said}");
        assert!(serde_json::from_slice::<Value>(&place.run(&["check", "--format", "json", output]).stdout).is_ok());
    }
    let (_, said) = place.says(&["build", "--root", "localhost/shop:slim", "--dry-run"]);
    assert!(
        said.contains("write docker://localhost/shop:slim") && said.contains("docker save localhost/shop:slim -o"),
        "{said}"
    );
    assert!(place.run(&[&build[..], &["oci:layout:x", "--", "/bin/true"]].concat()).status.success());
    for line in ["build --root layout --dry-run -- /bin/true", "check layout", "slim layout --dry-run", "build layout"]
    {
        let (_, said) = place.says(&line.split(' ').collect::<Vec<_>>());
        assert!(said.contains("oci:layout"), "{line}: {said}");
    }
    // Another tar is no image.
    let tarred = Command::new("tar").args(["-cf", "other.tar", "root/bin"]).current_dir(place.0.path()).status();
    assert!(tarred.expect("tar runs").success() && Path::new(&place.0.path().join("other.tar")).exists());
    let (_, said) = place.says(&["build", "--root", "other.tar", "--dry-run"]);
    assert!(!said.contains("this is an image"), "{said}");
    // The advice, pasted into a shell, makes a root of it.
    let advice = said.split("unpacked: ").nth(1).and_then(|rest| rest.split(',').next()).expect("advice");
    fs::remove_dir_all(place.at("/")).expect("removed");
    let done = Command::new("sh").arg("-c").arg(advice).current_dir(place.0.path()).status();
    assert!(done.expect("sh runs").success() && place.at("/root/bin/true").exists(), "{advice}");
}

#[test]
fn entries_of_other_processes_do_not_end_a_build_of_the_running_system() {
    if !need::all(&["setpriv"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let (binary, script) = (dir.path().join("slimroot"), dir.path().join("start.sh"));
    fs::copy(env!("CARGO_BIN_EXE_slimroot"), &binary).expect("copied");
    fs::write(&script, "#!/bin/sh\nexec /bin/true </proc/1/ns/net >/proc/1/fd/1\n").expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
    let as_other = |program: &Path, args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "1000", "--regid", "1000", "--clear-groups"]).arg(program).args(args);
        command.current_dir("/").output().expect("setpriv runs")
    };
    // The kernel refuses this user the link, and the directory.
    for path in ["/proc/1/ns/net", "/proc/1/fd/1"] {
        assert!(!as_other(Path::new("readlink"), &[path]).status.success(), "{path} can be read");
    }
    let script = script.display().to_string();
    let output = as_other(&binary, &["build", "--dry-run", "--no-inherit", "--", &script]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
