//! Registries. A small registry with faults shows that none is believed and that none costs more than a wait; Debian's
//! docker-registry with TLS and logins, and skopeo, are the judges of what is pushed and read.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::need;
use crate::support::registry::{Process, serve};

/// Exit codes: done, findings, wrong arguments, failed.
const DONE: i32 = 0;
const FAILED: i32 = 3;

/// A registry that ends with the test.
struct Server {
    _process: Process,
    port: u16,
    dir: tempfile::TempDir,
}

impl Server {
    /// The registry of `tests/registry.py` with faults.
    fn faulty(faults: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry.py");
        let log = fs::File::create(dir.path().join("log")).expect("a log");
        let mut child = Command::new("python3")
            .arg(script)
            .args(faults)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a port");
        Self { _process: Process(child), port: line.trim().parse().expect("a port"), dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn address(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }

    /// The requests so far, a line each.
    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).expect("a log")
    }

    fn slimroot(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.args(args).env("HOME", self.dir.path()).env("XDG_RUNTIME_DIR", self.dir.path());
        for name in ["REGISTRY_AUTH_FILE", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        command.output().expect("slimroot runs")
    }

    fn push(&self, root: &Path, name: &str) -> Output {
        let address = self.address(name);
        self.slimroot(&["build", "--root", &root.display().to_string(), "-o", &address, "--", "/bin/true"])
    }

    fn check(&self, name: &str) -> Output {
        self.slimroot(&["check", &self.address(name)])
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn is_done(output: &Output) {
    assert_eq!(output.status.code(), Some(DONE), "{}", text(output));
}

/// The code of the error, after checking that the run failed.
fn code(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(FAILED), "{}", text(output));
    let says = text(output);
    says.split("error[").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default().to_owned()
}

/// A root with this machine's C library and /bin/true.
fn root() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for file in ["bin/true", "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"] {
        let place = dir.path().join(file);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(Path::new("/").join(file), place).expect("a file of this machine");
    }
    dir
}

/// Faults that a push and a read get over, and what the log then shows.
#[test]
fn passing_faults_cost_a_wait_and_nothing_else() {
    let root = root();
    for (faults, expected) in [
        (&[][..], ""),
        (&["busy:2"], " 429"),
        (&["broken:2"], " 503"),
        (&["tokens:7"], "Bearer"),
        (&["cut-upload:300000"], "PATCH"),
        (&["cut-upload:250000", "forgets"], " 404"),
        (&["cut-blob:200000"], "bytes=200000-"),
        (&["cut-blob:300000", "no-ranges"], "cut"),
        (&["redirect:1"], "/elsewhere/"),
    ] {
        let server = Server::faulty(faults);
        is_done(&server.push(root.path(), "app:1"));
        is_done(&server.check("app:1"));
        assert!(server.log().contains(expected), "{faults:?}\n{}", server.log());
    }
}

/// A tag is moved by the last request alone: no failure before it, and none of it, changes what the tag names.
#[test]
fn failed_pushes_say_why_and_leave_the_tag() {
    let root = root();
    for (faults, expected, words) in [
        (&["busy-for-hours"][..], "registry-busy", "limits the rate of requests"),
        (&["broken:1000"], "registry-refused", "status 503"),
        (&["tokens:0"], "registry-denied", "status 401"),
        (&["quota"], "registry-refused", "quota of 10 GB is used up"),
        (&["cut-upload:0"], "registry-unreachable", ""),
        (&["no-location"], "bad-registry", "without a URL"),
        (&["no-manifest"], "registry-refused", "cannot store"),
    ] {
        let server = Server::faulty(faults);
        let begun = Instant::now();
        let output = server.push(root.path(), "app:old");
        assert_eq!(code(&output), expected, "{faults:?} {}", text(&output));
        assert!(text(&output).contains(words), "{faults:?} {}", text(&output));
        assert!(begun.elapsed() < Duration::from_secs(60), "{faults:?}");
        let log = server.log();
        assert!(!log.lines().any(|line| line.starts_with("PUT /v2/app/manifests") && line.ends_with("201")), "{log}");
        // Tokens are asked for a few times, not forever; the token itself is in no message.
        assert!(log.matches("/token").count() <= 3, "{log}");
        assert!(!text(&output).contains("Bearer t"), "{}", text(&output));
    }
}

#[test]
fn lies_are_noticed() {
    let root = root();
    let honest = Server::faulty(&[]);
    is_done(&honest.push(root.path(), "app:1"));
    for (fault, expected) in [
        ("lying-type", "bad-registry"),
        ("lying-digest", "bad-registry"),
        ("large", "bad-registry"),
        ("both", "bad-registry"),
        ("lying-bytes", "bad-image"),
        ("lying-length", "bad-registry"),
        ("redirect:2", "bad-registry"),
    ] {
        let server = Server::faulty(&[fault]);
        // The faults are those of reads; what is pushed is stored as it is.
        let _ = server.push(root.path(), "app:1");
        assert_eq!(code(&server.check("app:1")), expected, "{fault}");
    }
    let server = Server::faulty(&["stores-other"]);
    assert_eq!(code(&server.push(root.path(), "app:1")), "bad-registry");
    // What the registry says is shown without its escapes.
    let missing = honest.check("app:2");
    assert_eq!(code(&missing), "image-missing");
    assert!(text(&missing).contains("no such\\x1b[31m thing"), "{}", text(&missing));
}

/// The server that a redirect leads to is another one: localhost is not 127.0.0.1.
#[test]
fn redirects_get_no_credentials() {
    let root = root();
    let server = Server::faulty(&["tokens:1000", "redirect:0"]);
    is_done(&server.push(root.path(), "app:1"));
    is_done(&server.check("app:1"));
    let log = server.log();
    let elsewhere: Vec<&str> = log.lines().filter(|line| line.contains(" /elsewhere/")).collect();
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|line| line.contains(" - ")), "{log}");
    assert!(log.lines().any(|line| line.contains("/v2/app/blobs/sha256") && line.contains(" Bearer ")), "{log}");
    assert!(!elsewhere.iter().any(|line| line.contains("Bearer")), "{log}");
}

#[test]
fn a_second_repository_mounts_what_the_first_has() {
    let (root, server) = (root(), Server::faulty(&[]));
    let (one, two) = (server.address("app:1"), server.address("mirror/app"));
    let root = root.path().display().to_string();
    is_done(&server.slimroot(&["build", "--root", &root, "-o", &one, "-o", &two, "--", "/bin/true"]));
    let log = server.log();
    assert_eq!(log.lines().filter(|line| line.starts_with("PATCH")).count(), 2, "a layer and a configuration: {log}");
    assert_eq!(log.lines().filter(|line| line.contains("mount=") && line.ends_with("201")).count(), 2, "{log}");
}

/// Debian's registry, with TLS and logins.
fn judge() -> Option<Server> {
    if !need::all(&["docker-registry", "openssl", "htpasswd", "skopeo"]) {
        return None;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).display().to_string();
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().expect("a program of this machine");
        assert!(output.status.success(), "{program} {args:?} {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    fs::create_dir(dir.path().join("certs")).expect("made");
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            &at("key.pem"),
            "-out",
            &at("certs/ca.crt"),
        ],
    );
    fs::write(at("users"), run("htpasswd", &["-Bbn", "me", "correct horse"])).expect("written");
    let tls = format!(", tls: {{certificate: {}, key: {}}}", at("certs/ca.crt"), at("key.pem"));
    let logins = format!("log: {{level: error}}\nauth: {{htpasswd: {{realm: test, path: {}}}}}\n", at("users"));
    let (process, port) = serve(dir.path(), &tls, &logins);
    Some(Server { _process: process, port, dir })
}

#[test]
fn debian_s_registry_and_skopeo_take_what_is_pushed_and_give_what_is_read() {
    let Some(server) = judge() else { return };
    let root = root();
    let root = root.path().display().to_string();
    let ca = server.at("certs/ca.crt").display().to_string();
    let address = server.address("team/app:1");
    let build = |more: &[&str]| {
        let args = [&["build", "--root", root.as_str(), "-o", address.as_str()], more, &["--", "/bin/true"]].concat();
        server.slimroot(&args)
    };
    // Nobody knows the authority; then nobody is logged in; then the password is wrong, and shown nowhere.
    assert_eq!(code(&build(&[])), "registry-untrusted");
    assert_eq!(code(&build(&["--registry-ca", &ca])), "registry-denied");
    let login = |password: &str| {
        fs::create_dir_all(server.at(".docker")).expect("made");
        let pair = format!(r#"{{"username": "me", "password": "{password}"}}"#);
        let text = format!(r#"{{"auths": {{"127.0.0.1:{}": {pair}}}}}"#, server.port);
        fs::write(server.at(".docker/config.json"), text).expect("written");
    };
    login("battery staple");
    let denied = build(&["--registry-ca", &ca]);
    assert_eq!(code(&denied), "registry-denied");
    assert!(!text(&denied).contains("staple"), "{}", text(&denied));
    login("correct horse");
    is_done(&build(&["--insecure"]));
    is_done(&build(&["--registry-ca", &ca]));

    let skopeo = |args: &[&str]| {
        let output = Command::new("skopeo").args(args).output().expect("skopeo runs");
        assert!(output.status.success(), "skopeo {args:?} {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let certs = server.at("certs").display().to_string();
    let layout = format!("oci:{}:1", server.at("layout").display());
    let from = ["--src-cert-dir", &certs, "--src-creds", "me:correct horse"];
    let to = ["--dest-cert-dir", &certs, "--dest-creds", "me:correct horse"];
    skopeo(&[&["copy"], &from[..], &[&address, &layout]].concat());
    is_done(&server.slimroot(&["check", &layout]));
    // The other way: both families of media types, read again as roots.
    for format in ["oci", "v2s2"] {
        let copy = server.address(&format!("copy/{format}"));
        skopeo(&[&["copy", "--format", format], &to[..], &[&layout, &copy]].concat());
        is_done(&server.slimroot(&["check", "--registry-ca", &ca, &copy]));
        let out = server.at(format).display().to_string();
        let args = ["build", "--registry-ca", &ca, "--root", &copy, "-o", &out];
        is_done(&server.slimroot(&args));
        assert_eq!(fs::read(server.at(format).join("bin/true")).ok(), fs::read("/bin/true").ok());
    }
    // Every command that reads images has the options.
    let (page, inventory) = (server.at("page.html").display().to_string(), server.at("sbom").display().to_string());
    for words in [
        &["diff", &address, &layout][..],
        &["report", &address, "-o", &page],
        &["sbom", &address, "-o", &inventory],
        &["verify", &address],
    ] {
        let untrusted = server.slimroot(words);
        assert_eq!(code(&untrusted), "registry-untrusted", "{words:?}");
        is_done(&server.slimroot(&[words, &["--registry-ca", &ca]].concat()));
    }
    // By digest, as the report says it.
    let digest =
        skopeo(&["inspect", "--cert-dir", &certs, "--creds", "me:correct horse", "--format", "{{.Digest}}", &address]);
    let by_digest = format!("{}@{}", server.address("team/app"), digest.trim());
    is_done(&server.slimroot(&["check", "--registry-ca", &ca, &by_digest]));
}

/// A file system of 6 MB for temporary files cannot hold what images of 40 MB hold: the kernel is the judge.
/// What changes the archive after its digests were compared is noticed.
#[test]
fn layers_are_read_where_they_lie() {
    if !need::all(&["skopeo", "mount"]) {
        return;
    }
    let (root, dir) = (root(), tempfile::tempdir().expect("a directory"));
    let at = |name: &str| dir.path().join(name).display().to_string();
    let noise: Vec<u8> = (0..40_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(root.path().join("data"), noise).expect("written");
    let slimroot = |args: &[&str], temporary: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.args(args).env("TMPDIR", temporary).output().expect("slimroot runs")
    };
    let archive = format!("docker-archive:{}:app:1", at("image.tar"));
    let fat = root.path().display().to_string();
    is_done(&slimroot(&["build", "--root", &fat, "-i", "/data", "-o", &archive, "--", "/bin/true"], "/tmp"));
    fs::create_dir(at("small")).expect("made");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "none", &at("small")]).status();
    if !mounted.is_ok_and(|status| status.success()) {
        need::skip("mounts");
        return;
    }
    let plain = slimroot(&["build", "--root", &archive, "-o", &at("out"), "--", "/bin/true"], &at("small"));
    // Compressed, in an archive and in a directory: none of them would fit.
    let (packed, layout) = (format!("oci-archive:{}", at("packed.tar")), format!("oci:{}:1", at("layout")));
    let build = ["build", "--root", &fat, "-i", "/data", "-o", &packed, "-o", &layout, "--", "/bin/true"];
    is_done(&slimroot(&build, "/tmp"));
    let gzip = ["build", "--root", &packed, "-i", "/data", "-o", &at("out1"), "--", "/bin/true"];
    let gzip = slimroot(&gzip, &at("small"));
    let layout = ["build", "--root", &layout, "-i", "/data", "-o", &at("out2"), "--", "/bin/true"];
    let layout = slimroot(&layout, &at("small"));
    // zstd cannot go on in the middle.
    let zstd = format!("oci-archive:{}", at("zstd.tar"));
    let build = ["build", "--root", &fat, "-i", "/data", "--compression", "zstd", "-o", &zstd, "--", "/bin/true"];
    is_done(&slimroot(&build, "/tmp"));
    let full = slimroot(&["build", "--root", &zstd, "-o", &at("out3"), "--", "/bin/true"], &at("small"));
    assert!(Command::new("umount").arg(at("small")).status().expect("umount").success());
    is_done(&plain);
    is_done(&gzip);
    is_done(&layout);
    for out in ["out", "out1", "out2"] {
        assert_eq!(fs::read(Path::new(&at(out)).join("bin/true")).ok(), fs::read("/bin/true").ok(), "{out}");
    }
    for out in ["out1", "out2"] {
        assert!(fs::read(Path::new(&at(out)).join("data")).ok() == fs::read(root.path().join("data")).ok(), "{out}");
    }
    assert_eq!(code(&full), "disk-full");
}
