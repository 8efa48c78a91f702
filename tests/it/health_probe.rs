//! slimroot's own health probe, for each machine, asks servers of Python's and gRPC's; an image with it is judged by podman.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::engines::{Podman, pack};
use crate::support::need;
use crate::support::roots::run;
use crate::support::runs::slimroot;

/// The programs: machine, digest, and what runs them here.
const PROBES: [(&str, &str, &[&str]); 2] = [
    ("amd64", "ec84b01dd75c10553df355958b21c1bca13893399d99a4f186b0a56f3c298250", &[]),
    ("arm64", "d487912ce90c3851cd0fefb0b5b465ddd505bfa8717da52d14d52f59d95d1c38", &["qemu-aarch64-static"]),
];
/// The compiler whose programs they are.
const COMPILER: &str = "12.2.0";

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn is_compiler(program: &str) -> bool {
    let output = Command::new(program).arg("-dumpfullversion").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == COMPILER)
}

#[test]
fn the_programs_are_those_of_the_source() {
    let dir = tempfile::tempdir().expect("a directory");
    let is_made = ["x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc"].iter().all(|compiler| is_compiler(compiler));
    if is_made {
        run(&project("packaging/probe/build").display().to_string(), &[&dir.path().display().to_string()]);
    } else {
        need::skip("gcc 12.2.0 for x86-64 and for arm64 (gcc-aarch64-linux-gnu)");
    }
    for (machine, digest, _) in PROBES {
        let kept = project("src/closure/probe").join(machine);
        assert!(run("sha256sum", &[&kept.display().to_string()]).starts_with(digest), "{machine} has changed");
        let bytes = fs::read(kept).expect("read");
        assert!(bytes.len() < 8192, "{machine}");
        assert!(!is_made || fs::read(dir.path().join(machine)).expect("made") == bytes, "{machine} is made anew");
    }
}

/// The servers, which end with the test.
struct Servers {
    child: Child,
    ports: Value,
}

impl Servers {
    fn start(python: &str) -> Self {
        let mut child = Command::new(python)
            .arg(project("tests/samples/health.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Self { child, ports: serde_json::from_str(&line).expect("JSON") }
    }

    /// An address with the port of a server for its name in braces.
    fn address(&self, text: &str) -> String {
        let (before, rest) = text.split_once('{').expect("a name");
        let (name, after) = rest.split_once('}').expect("a name");
        format!("{before}{}{after}", self.ports[name])
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python that has gRPC.
fn python() -> Option<&'static str> {
    let has_grpc = |python: &&str| {
        let status = Command::new(python).args(["-c", "import grpc"]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_grpc)
}

/// What each server gets: nothing if it is healthy, otherwise a part of the message.
const ANSWERS: [(&str, &str); 38] = [
    ("http://127.0.0.1:{pages}", ""),
    ("http://127.0.0.1:{pages}/200?full=1#top", ""),
    ("http://127.0.0.1:{pages}?200", ""),
    ("http://localhost:{pages}/250", ""),
    ("http://127.0.0.1:{pages}/250", "status 500"),
    ("http://127.0.0.1:{pages}/103", ""),
    ("http://127.0.0.1:{pages}/301", ""),
    ("http://127.0.0.1:{pages}/400", "status 400"),
    ("http://127.0.0.1:{pages}/404", "status 404"),
    ("http://127.0.0.1:{pages}/500", "status 500"),
    ("http://127.0.0.1:{silent}/", "no answer in time"),
    ("http://127.0.0.1:{nobody}/", "nothing listens"),
    ("http://127.0.0.1:{closing}/", "closed without an answer"),
    ("http://127.0.0.1:{garbage}/", "not HTTP"),
    ("http://127.0.0.1:{cut}/", "not HTTP"),
    ("http://127.0.0.1:{odd}/", "not HTTP"),
    ("http://127.0.0.1:{old}/", ""),
    ("http://127.0.0.1:{bytewise}/", ""),
    ("http://127.0.0.1:{talking}/", ""),
    ("http://127.0.0.1:{endless}/", "not HTTP"),
    ("http://127.0.0.1:{hints}/", "not HTTP"),
    ("http://127.0.0.1:{health}/", "not HTTP"),
    ("http://[::1]:{six}/", ""),
    ("http://[0:0:0:0:0:0:0:1]:{six}/", ""),
    ("http://localhost:{six}/", ""),
    ("http://[::ffff:7f00:1]:{pages}/", ""),
    ("tcp:127.0.0.1:{silent}", ""),
    ("tcp:localhost:{six}", ""),
    ("tcp:127.0.0.1:{nobody}", "nothing listens"),
    ("grpc:127.0.0.1:{health}", ""),
    ("grpc:localhost:{health}/shop.Cart", ""),
    ("grpc:127.0.0.1:{health}/down", "NOT_SERVING"),
    ("grpc:127.0.0.1:{health}/strange", "SERVICE_UNKNOWN"),
    ("grpc:127.0.0.1:{health}/gone", "no gRPC health service, or does not know the name"),
    ("grpc:127.0.0.1:{other}", "no gRPC health service"),
    ("grpc:127.0.0.1:{pages}", "not HTTP/2"),
    ("grpc:127.0.0.1:{settled}", "no answer in time"),
    ("grpc:127.0.0.1:{padded}", "not HTTP/2"),
];

#[test]
fn servers_are_healthy_as_they_answer() {
    let Some(python) = python() else {
        need::skip("Python with grpc (python3-grpcio)");
        return;
    };
    if !need::all(&["qemu-aarch64-static"]) {
        return;
    }
    let servers = Servers::start(python);
    let asked: Vec<(&str, String, &str)> = PROBES
        .iter()
        .flat_map(|(machine, ..)| ANSWERS.iter().map(|(text, why)| (*machine, servers.address(text), *why)))
        .chain(PROBES.iter().flat_map(|(machine, ..)| {
            ["http://example.com/", "https://127.0.0.1/", "http://[1::2::3]/", "http://127.0.0.256/", "tcp:127.0.0.1"]
                .map(|text| (*machine, text.to_owned(), ": "))
        }))
        .collect();
    std::thread::scope(|scope| {
        for some in asked.chunks(asked.len().div_ceil(4)) {
            scope.spawn(move || some.iter().for_each(|(machine, address, why)| judge(machine, address, why)));
        }
    });
}

/// Runs a probe; the silent servers wait no longer than the timeout.
fn judge(machine: &str, address: &str, why: &str) {
    let (_, _, runner) = PROBES.iter().find(|(name, ..)| *name == machine).expect("a machine");
    let probe = project("src/closure/probe").join(machine).display().to_string();
    let words: Vec<&str> = runner.iter().copied().chain([probe.as_str(), address, "1500"]).collect();
    let output = Command::new(words[0]).args(&words[1..]).output().expect("the probe runs");
    let says = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(!why.is_empty())), "{machine} {address}: {says}");
    assert!(says.is_empty() == why.is_empty() && says.contains(why), "{machine} {address}: {says}");
}

/// A root with a web server that needs nothing else.
fn root(dir: &Path) -> String {
    let root = dir.join("root");
    fs::create_dir_all(root.join("bin")).expect("made");
    fs::create_dir_all(root.join("srv")).expect("made");
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("a static busybox");
    fs::write(root.join("srv/health"), "fine\n").expect("written");
    root.display().to_string()
}

const SERVER: [&str; 9] = ["--include", "/srv/**", "--", "/bin/busybox", "httpd", "-f", "-p", "8000", "-h"];

#[test]
fn podman_finds_a_container_healthy_or_not() {
    if !need::all(&["podman", "runc", "skopeo", "busybox"]) {
        return;
    }
    let (dir, podman) = (tempfile::tempdir().expect("a directory"), Podman::new());
    let root = root(dir.path());
    for (page, is_healthy) in [("health", true), ("absent", false)] {
        let archive = dir.path().join(format!("{page}.tar")).display().to_string();
        let (image, place) = (format!("localhost/{page}:1"), format!("docker-archive:{archive}"));
        let check = format!("--interval=1h --timeout=4s http://127.0.0.1:8000/{page}");
        let options = ["build", "--root", &root, "-t", &image, "-o", &place, "--healthcheck", &check];
        let told = pack(&[&options[..], &SERVER, &["/srv"]].concat());
        assert!(!told.contains("error["), "{told}");
        let config: Value =
            serde_json::from_str(&run("skopeo", &["inspect", "--raw", "--config", &place])).expect("JSON");
        let test = json!(["CMD", "/slimroot-probe", format!("http://127.0.0.1:8000/{page}"), "4000"]);
        assert_eq!(
            config["config"]["Healthcheck"],
            json!({ "Test": test, "Interval": 3_600_000_000_000_u64, "Timeout": 4_000_000_000_u64 })
        );
        podman.run(&["load", "-q", "-i", &archive]);
        let container = podman.start(&["-d", "--network", "none", &image]);
        let healthy = podman.status(&["healthcheck", "run", container.trim()]);
        podman.run(&["rm", "-f", "-t", "0", container.trim()]);
        assert_eq!(healthy, is_healthy, "{page}");
    }
    // The image as an input: its probe is a program like any other, and stays.
    let fat = format!("docker-archive:{}", dir.path().join("health.tar").display());
    let checked = slimroot(&["check", &fat]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let out = dir.path().join("out").display().to_string();
    pack(&["slim", &fat, "-o", &out]);
    let kept = fs::read(project("src/closure/probe/amd64")).expect("read");
    assert_eq!(fs::read(format!("{out}/slimroot-probe")).expect("packed"), kept);
    let refused = run("sh", &["-c", &format!("chroot {out} /slimroot-probe tcp:127.0.0.1:1 2>&1 || true")]);
    assert!(refused.contains("nothing listens"), "{refused}");
}

#[test]
fn the_probe_has_a_reason_and_limits() {
    if !need::all(&["busybox"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = root(dir.path());
    let check = ["--healthcheck", "http://127.0.0.1:8000/health"];
    let plan = pack(&[&["plan", "--root", &root][..], &check, &SERVER, &["/srv"]].concat());
    let why = plan.lines().find(|line| line.contains("/slimroot-probe")).expect("planned");
    assert!(why.starts_with("-0755 0:0") && why.contains("slimroot's own probe, which the health check"), "{why}");
    let chain = pack(&[&["why", "--root", &root][..], &check, &["/slimroot-probe"], &SERVER, &["/srv"]].concat());
    assert!(chain.contains("slimroot's own probe, which the health check"), "{chain}");
    for (command, is_missing) in [("/bin/busybox true", false), ("/bin/nothing", true), (check[1], false)] {
        let checked =
            slimroot(&[&["check", "--root", &root, "--healthcheck", command][..], &SERVER, &["/srv"]].concat());
        let says = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert_eq!(says.contains("healthcheck-missing"), is_missing, "{command}: {says}");
    }
    let build = |check: &str, extra: &[&str]| {
        let options = ["build", "--root", &root, "--dry-run", "--healthcheck", check];
        let output = slimroot(&[&options[..], extra, &SERVER, &["/srv"]].concat());
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for (check, why) in [
        ("https://127.0.0.1/", "has no TLS"),
        ("http://app:8000/", "does not resolve names"),
        ("tcp:127.0.0.1", "a port"),
        ("http://127.0.0.1/ || exit 1", "%XX"),
    ] {
        let (code, says) = build(check, &[]);
        assert!(code == Some(2) && says.contains("error[bad-argument]") && says.contains(why), "{says}");
    }
    let (code, says) = build("/bin/busybox wget http://127.0.0.1:8000/health", &[]);
    assert!(code == Some(0) && says.contains("--healthcheck http://127.0.0.1:8000/health packs a probe"), "{says}");
    // A program for RISC-V (ELF specification, e_machine).
    let mut program = fs::read("/bin/busybox").expect("read");
    program[18] = 0xf3;
    fs::write(dir.path().join("root/bin/busybox"), program).expect("written");
    let (code, says) = build(check[1], &[]);
    assert!(code == Some(2) && says.contains("error[probe-unsupported]") && says.contains("riscv"), "{says}");
}

#[test]
fn a_dockerfile_is_told_of_the_probe() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("Dockerfile").display().to_string();
    let base = "FROM a\nCMD [\"/app\"]\n";
    for (check, is_told) in [
        ("HEALTHCHECK --interval=5s CMD curl -f http://localhost:8000/health \\\n  || exit 1\n", true),
        ("HEALTHCHECK CMD [\"wget\", \"-q\", \"http://localhost:8000/health\"]\n", true),
        ("HEALTHCHECK CMD curl -fk https://localhost:8000/health\n", false),
        ("HEALTHCHECK CMD [\"/app\", \"--healthy\"]\n", false),
    ] {
        fs::write(&file, format!("{base}{check}")).expect("written");
        for form in [&["dockerfile", &file][..], &["dockerfile", "--packer", &file]] {
            let printed = pack(form);
            let told = "# Smaller: --healthcheck http://localhost:8000/health instead of --bin, and HEALTHCHECK CMD \
                        [\"/slimroot-probe\", \"http://localhost:8000/health\"]\n";
            assert_eq!(printed.contains(told), is_told, "{printed}");
        }
    }
}
