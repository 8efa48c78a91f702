//! Container engines. Their daemons end with the test.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::roots::run;

/// Runs slimroot, which must succeed.
pub fn pack(args: &[&str]) -> String {
    run(env!("CARGO_BIN_EXE_slimroot"), args)
}

/// A separate docker daemon.
pub struct Docker {
    dir: tempfile::TempDir,
    daemon: Child,
}

impl Docker {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let log = fs::File::create(at("log")).expect("a log");
        let daemon = Command::new("dockerd")
            .args(["--iptables=false", "--bridge=none", "--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "-H", &format!("unix://{}", at("sock"))])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd starts");
        let docker = Self { dir, daemon };
        wait(Duration::from_secs(60), || {
            docker.client().arg("info").output().is_ok_and(|output| output.status.success())
        });
        docker
    }

    /// The address of its API.
    pub fn socket(&self) -> String {
        format!("unix://{}/sock", self.dir.path().display())
    }

    /// Debian's client for Debian's daemon.
    pub fn client(&self) -> Command {
        let mut client = Command::new("/usr/bin/docker");
        client.env("DOCKER_HOST", format!("unix://{}/sock", self.dir.path().display())).env("DOCKER_BUILDKIT", "1");
        client
    }

    pub fn run(&self, args: &[&str]) -> String {
        let output = self.client().args(args).output().expect("docker runs");
        let all = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "docker {args:?}\n{}{}", all(&output.stdout), all(&output.stderr));
        all(&output.stdout)
    }

    /// Creates an image from a directory.
    pub fn import(&self, root: &Path, name: &str) {
        let mut tar =
            Command::new("tar").arg("-C").arg(root).args(["-c", "."]).stdout(Stdio::piped()).spawn().expect("tar");
        let stdin = tar.stdout.take().expect("a pipe");
        assert!(self.client().args(["import", "-", name]).stdin(stdin).status().expect("docker").success());
        assert!(tar.wait().expect("tar").success());
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
        unmount_below(self.dir.path());
    }
}

/// Podman and buildah with a separate store.
pub struct Podman {
    dir: tempfile::TempDir,
}

impl Podman {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory") }
    }

    fn stores(&self) -> [String; 4] {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        ["--root".to_owned(), at("store"), "--runroot".to_owned(), at("run")]
    }

    pub fn run(&self, args: &[&str]) -> String {
        let stores = self.stores();
        let mut all: Vec<&str> = stores.iter().map(String::as_str).collect();
        all.extend(["--runtime", "runc"]);
        all.extend(args);
        run("podman", &all)
    }

    /// True if a command succeeds.
    pub fn status(&self, args: &[&str]) -> bool {
        let status = Command::new("podman").args(self.stores()).args(["--runtime", "runc"]).args(args).status();
        status.expect("podman runs").success()
    }

    /// Runs a container, with limits that a machine without full root rights may set.
    pub fn start(&self, args: &[&str]) -> String {
        let limits = ["run", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
        self.run(&[&limits, args].concat())
    }

    pub fn buildah(&self, args: &[&str]) -> String {
        let stores = self.stores();
        let mut all: Vec<&str> = stores.iter().map(String::as_str).collect();
        all.extend(args);
        run("buildah", &all)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        unmount_below(self.dir.path());
    }
}

fn unmount_below(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let below =
        mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|place| Path::new(place).starts_with(dir));
    for place in below.collect::<Vec<_>>().into_iter().rev() {
        let _ = Command::new("umount").args(["-l", place]).status();
    }
}

/// Waits until a condition is true.
pub fn wait(limit: Duration, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < end, "not so within {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The response of a server on this machine.
pub fn page(port: u16) -> String {
    use std::io::{Read, Write};
    let mut text = String::new();
    wait(Duration::from_secs(60), || {
        text.clear();
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok() && stream.read_to_string(&mut text).is_ok()
    });
    text
}

/// A build context with the fixtures and a static slimroot.
pub fn context() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images");
    for entry in fs::read_dir(fixtures).expect("fixtures") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, dir.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    fs::copy(env!("CARGO_BIN_EXE_slimroot"), dir.path().join("slimroot")).expect("copied");
    dir
}
