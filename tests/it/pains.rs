//! Typical problems of images without a base image, which slimroot prevents by default or which `check` reports: one
//! root, one image, and a list. `broken.rs` has the problems that need a broken image.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::need;
use crate::support::roots::{debian, run, slimroot};

struct Packed {
    root: PathBuf,
    out: PathBuf,
    _dir: tempfile::TempDir,
}

fn pack(entry: &[&str], more: &[&str]) -> Packed {
    let root = debian();
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("out");
    let (from, to) = (root.display().to_string(), format!("dir:{}", out.display()));
    let args = [&["build", "--root", &from, "-o", &to], more, &["--"], entry].concat();
    let output = slimroot(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    Packed { root, out, _dir: dir }
}

impl Packed {
    fn at(&self, path: &str) -> PathBuf {
        self.out.join(path.trim_start_matches('/'))
    }

    fn is_there(&self, path: &str) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.at(path)).expect("it is there").mode() & 0o7777
    }

    /// Runs a command in the image as an unprivileged user.
    fn says(&self, command: &[&str], env: &[(&str, &str)]) -> String {
        let mut chroot = Command::new("/usr/sbin/chroot");
        chroot.arg("--userspec=65532:65532").arg(&self.out).args(command).env_clear().envs(env.iter().copied());
        let output = chroot.output().expect("chroot runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

fn link(path: &Path) -> Option<PathBuf> {
    fs::read_link(path).ok()
}

#[test]
fn pains_are_prevented() {
    if !need::all(&["mmdebstrap", "chroot"]) {
        return;
    }
    let image = pack(&["curl"], &["--bin", "/usr/bin/date"]);
    // "No such file or directory" for an existing program: its loader, and the symlink to it.
    assert!(image.says(&["/usr/bin/curl", "--version"], &[]).contains("libcurl"));
    assert_eq!(link(&image.at("/lib64")), link(&image.root.join("lib64")), "the link /lib64 is the builder's");
    // "x509: unknown authority": the bundle, also at OpenSSL's path.
    assert!(image.text("/etc/ssl/certs/ca-certificates.crt").contains("BEGIN CERTIFICATE"));
    // A time zone that is silently UTC.
    assert!(image.says(&["/usr/bin/date", "-d", "@0", "+%H %Z"], &[("TZ", "Europe/Berlin")]).contains("01 CET"));
    // Users, their names and homes, also for a platform's random user.
    for name in ["root:", "nobody:", "nonroot:"] {
        assert!(image.text("/etc/passwd").lines().any(|line| line.starts_with(name)), "{name}");
    }
    assert_eq!(image.mode("/home/nonroot"), 0o755);
    // DNS and users through services that the image does not have.
    assert!(image.text("/etc/nsswitch.conf").contains("hosts: files dns"));
    // No /tmp, or one without its sticky bit.
    assert_eq!((image.mode("/tmp"), image.mode("/var/tmp")), (0o1777, 0o1777));
    // Non-ASCII text.
    assert!(image.is_there("/usr/lib/locale/C.utf8/LC_CTYPE"));
    // The process aborts when a thread exits: the unwinder, which no object lists as a dependency.
    assert!(image.is_there("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"));
    // Libraries that are found only through the cache, and ctypes: a cache of the packed libraries.
    assert!(image.is_there("/etc/ld.so.cache"));
    // Scanners see the packages, and only those with packed code.
    assert!(image.text("/var/lib/dpkg/status.d/curl").contains("Version: "));
    assert!(image.is_there("/etc/debian_version") && !image.is_there("/var/lib/dpkg/status"));
    assert!(!image.is_there("/var/lib/dpkg/status.d/apt"), "nothing of apt is packed");
    // Licences are packed with their packages; other documents are not.
    assert!(image.is_there("/usr/share/doc/curl/copyright") && !image.is_there("/usr/share/man"));
    // No shell and no package manager for an intruder.
    for path in ["/bin/sh", "/usr/bin/apt", "/usr/bin/dpkg", "/usr/bin/perl"] {
        assert!(!image.is_there(path), "{path}");
    }
}

#[test]
fn digests_do_not_change_with_each_build() {
    if !need::all(&["mmdebstrap"]) {
        return;
    }
    let root = debian().display().to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let digest = |name: &str| {
        let to = format!("oci:{}", dir.path().join(name).display());
        run(env!("CARGO_BIN_EXE_slimroot"), &["build", "--root", &root, "-o", &to, "--", "curl"]);
        fs::read_to_string(dir.path().join(name).join("index.json")).expect("an index")
    };
    assert_eq!(digest("first"), digest("second"));
}

/// A health check is another program, packed with its dependencies.
#[test]
fn a_server_brings_its_health_check_and_says_what_it_may_not_do() {
    if !need::all(&["mmdebstrap", "chroot"]) {
        return;
    }
    let image = pack(&["nginx", "-g", "daemon off;"], &["--bin", "curl", "--expose", "80", "--user", "nonroot"]);
    assert!(image.says(&["/usr/bin/curl", "--version"], &[]).contains("libcurl"));
    assert!(image.is_there("/var/lib/nginx") && image.is_there("/var/log/nginx"), "directories that it writes to");
    let root = image.root.display().to_string();
    let told = slimroot(&["build", "--dry-run", "--root", &root, "--expose", "80", "--user", "nonroot", "--", "nginx"]);
    let said = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
    assert!(said.contains("warning[low-port]"), "{said}");
    let told = slimroot(&["build", "--dry-run", "--root", &root, "--", "nginx"]);
    let said = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
    assert!(said.contains("note[runs-as-root]"), "its unit starts it as root: {said}");
}
