//! Images of several platforms in a registry. Debian's docker-registry takes them, its log says what was sent, and skopeo
//! reads what is there.

use std::fs;

use serde_json::Value;

use crate::support::need;
use crate::support::registry::{Process, members, serve};
use crate::support::roots::{debian, debian_of, run};
use crate::support::runs::{slimroot, text, told, world};

/// Debian's registry on loopback, without TLS and logins.
struct Registry {
    _process: Process,
    port: u16,
    dir: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (process, port) = serve(dir.path(), "", "");
        Self { _process: process, port, dir }
    }

    fn at(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }

    /// What the registry stored, in order: the paths of PUT requests that end an upload or store a manifest.
    fn stored(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.path().join("log")).expect("a log");
        let put = |line: &str| Some(line.split("\"PUT ").nth(1)?.split(' ').next()?.to_owned());
        log.lines().filter_map(put).collect()
    }

    /// Number of uploads of blobs, and the manifests, in order.
    fn sent(&self) -> (usize, Vec<String>) {
        let (uploads, manifests): (Vec<String>, Vec<String>) =
            self.stored().into_iter().partition(|path| path.contains("/blobs/uploads/"));
        (uploads.len(), manifests)
    }

    fn index(&self, name: &str) -> Value {
        let raw = run("skopeo", &["inspect", "--tls-verify=false", "--raw", &self.at(name)]);
        serde_json::from_str(&raw).expect("JSON")
    }
}

#[test]
fn an_index_is_pushed_after_its_images_and_no_blob_is_sent_twice() {
    if !need::all(&["docker-registry", "skopeo", "mmdebstrap", "qemu-aarch64-static"]) {
        return;
    }
    let (registry, dir) = (Registry::start(), tempfile::tempdir().expect("a directory"));
    let at = |name: &str| format!("oci:{}:{name}", dir.path().join("parts").display());
    for (root, out, program) in
        [(debian(), at("amd64"), "/bin/true"), (debian_of("arm64"), at("arm64"), "/usr/bin/sqlite3")]
    {
        let options = ["--no-auto", "--companions", "none", "--no-profile", "licences", "-o", &out];
        told(&[&["build", "--root", &root.display().to_string()][..], &options, &["--", program]].concat());
    }
    told(&["index", "-o", &registry.at("app:1"), &at("amd64"), &at("arm64")]);
    let index = registry.index("app:1");
    let images = members(&index);
    assert_eq!(images.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["amd64", "arm64"]);
    let (uploads, manifests) = registry.sent();
    assert_eq!(uploads, 4, "a layer and a configuration each");
    let path = |name: &str| format!("/v2/app/manifests/{name}");
    assert_eq!(manifests, [path(&images[0].1), path(&images[1].1), path("1")], "the tag comes last");
    let copy = format!("oci:{}:1", dir.path().join("copy").display());
    run(
        "skopeo",
        &["--insecure-policy", "copy", "-q", "--all", "--src-tls-verify=false", &registry.at("app:1"), &copy],
    );

    // Another tag, and another repository, send nothing again; one platform alone is read as before.
    told(&["index", "-o", &registry.at("app:2"), &at("arm64"), &at("amd64")]);
    told(&["index", "-o", &registry.at("mirror/app:1"), &registry.at("app:1")]);
    assert_eq!(registry.sent().0, uploads);
    assert_eq!(registry.index("mirror/app:1"), index);
    told(&["check", "--platform", "linux/arm64", &registry.at("mirror/app:1")]);

    // From a registry to a registry, each platform packed; what fails leaves the tag.
    let said = told(&["slim", "--platform", "all", &registry.at("app:1"), "-o", &registry.at("slim:1")]);
    assert!(said.starts_with(&format!("127.0.0.1:{}/slim:1@sha256:", registry.port)), "a reference to pull: {said}");
    let slim = registry.index("slim:1");
    assert_eq!(members(&slim).iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), ["amd64", "arm64"]);
    run(
        "skopeo",
        &["--insecure-policy", "copy", "-q", "--all", "--src-tls-verify=false", &registry.at("slim:1"), &copy],
    );
    let blobs = dir.path().join("parts/blobs/sha256");
    for entry in fs::read_dir(&blobs).expect("listed") {
        let path = entry.expect("an entry").path();
        let mut bytes = fs::read(&path).expect("read");
        if bytes.starts_with(&[0x1f, 0x8b]) {
            *bytes.last_mut().expect("a byte") ^= 1;
            fs::write(&path, bytes).expect("written");
        }
    }
    let output = slimroot(&["index", "-o", &registry.at("fresh:1"), &at("amd64"), &at("arm64")]);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert!(registry.sent().1.iter().all(|path| !path.contains("/fresh/")), "no manifest of blobs that were refused");
}

#[test]
fn the_tag_of_a_second_image_must_be_free() {
    if !need::all(&["busybox"]) {
        return;
    }
    let (world, busybox) = (world(), run("sh", &["-c", "command -v busybox"]));
    let root = world.path().join("root").display().to_string();
    let at = |name: &str| format!("oci:{}:{name}", world.path().join("image").display());
    let dotted = format!("oci:{}/./image:1-debug", world.path().display());
    for other in [at("1-debug"), dotted] {
        let output = slimroot(&[
            "build",
            "--root",
            &root,
            "-o",
            &at("1"),
            "-o",
            &other,
            "--debug-tag",
            "debug",
            "--debug-shell",
            busybox.trim(),
            "--",
            "/bin/true",
        ]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("error[bad-argument]") && said.contains("1-debug"), "{said}");
        assert!(!world.path().join("image").exists());
    }
}
