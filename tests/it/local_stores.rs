//! Local stores of engines. Podman's service, which speaks docker's API, and Debian's dockerd load what slimroot packs and
//! give it back.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::engines::Docker;
use crate::support::need;
use crate::support::roots::run;
use crate::support::runs::{text, world};

/// Exit codes: wrong arguments, failed.
const USAGE: i32 = 2;
const FAILED: i32 = 3;

/// `podman system service` with a store of its own.
struct Service {
    dir: tempfile::TempDir,
    child: Child,
}

impl Service {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let child = Command::new("podman")
            .args(["--root", &at("store"), "--runroot", &at("run"), "--runtime", "runc"])
            .args(["system", "service", "--time", "0", &format!("unix://{}", at("sock"))])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("podman starts");
        let begun = Instant::now();
        while !dir.path().join("sock").exists() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { dir, child }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn podman(&self, args: &[&str]) -> String {
        let (store, state) = (self.at("store"), self.at("run"));
        run("podman", &[&["--root", &store, "--runroot", &state, "--runtime", "runc"], args].concat())
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.at("sock"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn slimroot(variable: &str, socket: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    command.env_remove("DOCKER_HOST").env_remove("CONTAINER_HOST").env(variable, socket);
    command.args(args).output().expect("slimroot runs")
}

fn is_done(output: &Output) {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Packs into a store, reads the image back and packs it again.
fn there_and_back(variable: &str, socket: &str, word: &str, root: &Path) {
    let (name, again) = (format!("{word}:localhost/app:1"), format!("{word}:localhost/again:1"));
    let root = root.display().to_string();
    let build = ["build", "--root", &root, "--layers", "split", "-o", &name, "--", "/bin/true"];
    is_done(&slimroot(variable, socket, &build));
    is_done(&slimroot(variable, socket, &["check", &name]));
    is_done(&slimroot(variable, socket, &["slim", &name, "-o", &again]));
    let absent = slimroot(variable, socket, &["check", &format!("{word}:localhost/absent:1")]);
    assert_eq!(absent.status.code(), Some(FAILED));
    assert!(text(&absent.stderr).contains("error[image-missing]"), "{}", text(&absent.stderr));
}

/// Runs with podman's store and no docker.
fn by_name(socket: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    command.env("DOCKER_HOST", "unix:///no/such/socket").env("CONTAINER_HOST", socket);
    command.args(args).output().expect("slimroot runs")
}

/// A name without a transport, where it is an image, a path, and nothing.
fn a_name_is_found(socket: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let slim = format!("oci:{}:1", at("slim"));
    let lines: [&[&str]; 4] = [
        &["check", "localhost/app:1"],
        &["why", "--root", "localhost/app:1", "/bin/true"],
        &["slim", "localhost/app:1", "-o", &slim],
        &["diff", "localhost/app:1", &slim],
    ];
    for line in lines {
        let output = by_name(socket, line);
        is_done(&output);
        let said = text(&output.stderr);
        let place = "localhost/app:1 is containers-storage:localhost/app:1 (docker-daemon: there is no engine at";
        assert!(said.contains(place), "{line:?}: {said}");
    }
    let absent = by_name(socket, &["slim", "localhost/absent:1", "-o", &at("absent")]);
    assert_eq!(absent.status.code(), Some(FAILED));
    let said = text(&absent.stderr);
    for part in ["error[image-missing]", "docker-daemon: there is no engine", "containers-storage: has no such image"] {
        assert!(said.contains(part), "{said}");
    }
    // A directory of that name comes before an image.
    let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
    std::fs::create_dir_all(dir.path().join("localhost/app:1/bin")).expect("made");
    command.env("CONTAINER_HOST", socket).current_dir(dir.path());
    let output = command.args(["deps", "--root", "localhost/app:1", "/bin/true"]).output().expect("slimroot runs");
    let said = text(&output.stderr);
    assert!(said.contains("error[entry-missing]") && !said.contains("containers-storage"), "{said}");
}

#[test]
fn podman_loads_and_gives_back() {
    if !need::all(&["podman", "runc"]) {
        return;
    }
    let (service, world) = (Service::start(), world());
    let root = world.path().join("root");
    there_and_back("CONTAINER_HOST", &service.socket(), "containers-storage", &root);
    a_name_is_found(&service.socket());
    // The same service speaks docker's API.
    there_and_back("DOCKER_HOST", &service.socket(), "docker-daemon", &root);
    // With a name and without a destination, the image goes into the store that it is from.
    is_done(&by_name(&service.socket(), &["slim", "localhost/app:1", "-t", "localhost/named:1"]));
    let nowhere = by_name(&service.socket(), &["slim", "localhost/app:1"]);
    assert!(text(&nowhere.stderr).contains("-t NAME"), "{}", text(&nowhere.stderr));
    let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--network=none"];
    for image in ["localhost/app:1", "localhost/again:1", "localhost/named:1"] {
        service.podman(&[&["run", "--rm"], &limits[..], &[image]].concat());
    }
}

#[test]
fn docker_loads_and_gives_back() {
    if !need::all(&["dockerd", "runc"]) {
        return;
    }
    let (docker, world) = (Docker::start(), world());
    there_and_back("DOCKER_HOST", &docker.socket(), "docker-daemon", &world.path().join("root"));
    let layers = docker.run(&["image", "inspect", "--format", "{{len .RootFS.Layers}}", "localhost/again:1"]);
    assert_eq!(layers.trim(), "1");
}

#[test]
fn an_engine_that_is_not_there_is_told_before_anything_is_packed() {
    let world = world();
    let root = world.path().join("root").display().to_string();
    let nothing = format!("unix://{}", world.path().join("sock").display());
    let build = |out: &str| ["build", "--root", &root, "-o", out, "--", "/bin/true"].map(str::to_owned);
    for (variable, word) in [("DOCKER_HOST", "docker-daemon"), ("CONTAINER_HOST", "containers-storage")] {
        let line = build(&format!("{word}:localhost/app:1"));
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let output = slimroot(variable, &nothing, &line);
        assert_eq!(output.status.code(), Some(FAILED));
        assert!(text(&output.stderr).contains("error[engine-unreachable]"), "{}", text(&output.stderr));
        let output = slimroot(variable, "tcp://127.0.0.1:1", &line);
        assert_eq!(output.status.code(), Some(USAGE));
        assert!(text(&output.stderr).contains("error[bad-argument]"), "{}", text(&output.stderr));
    }
    for bad in ["docker-daemon:", "docker-daemon:App", "containers-storage:a..b:1"] {
        let line = build(bad);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        assert_eq!(slimroot("DOCKER_HOST", &nothing, &line).status.code(), Some(USAGE), "{bad}");
    }
}
