//! Real images with nginx and sqlite, judged by real engines: BuildKit, docker, buildah, podman, skopeo and umoci.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::support::engines::{self, Docker, Podman, context, pack, page};
use crate::support::need;
use crate::support::roots::{debian, debian_of, run, slimroot};

/// The nginx fixtures use the same port, so tests that start it run one after the other.
static PORT: Mutex<()> = Mutex::new(());
const PAGE: &str = "served by a packed nginx";

const TOOLS: &[&str] = &["mmdebstrap", "dockerd", "podman", "buildah", "skopeo", "umoci", "runc", "tar"];

#[test]
fn a_run_step_of_a_builder_stage_makes_an_image_under_buildkit() {
    if !need::all(TOOLS) {
        return;
    }
    let _turn = PORT.lock().unwrap_or_else(PoisonError::into_inner);
    let docker = Docker::start();
    docker.import(&debian(), "builder");
    let context = context();
    let at = context.path().display().to_string();
    for dockerfile in ["Dockerfile.run", "Dockerfile.bind"] {
        let file = format!("{at}/{dockerfile}");
        docker.run(&["build", "--network", "none", "--build-arg", "BUILDER=builder", "-f", &file, "-t", "app", &at]);
        docker.run(&["run", "-d", "--network", "host", "--name", "app", "app"]);
        let page = page(23090);
        docker.run(&["rm", "-f", "app"]);
        assert!(page.contains(PAGE), "{dockerfile}: {page}");
    }
}

#[test]
fn a_run_step_of_a_builder_stage_makes_an_image_under_buildah() {
    if !need::all(TOOLS) {
        return;
    }
    let _turn = PORT.lock().unwrap_or_else(PoisonError::into_inner);
    let podman = Podman::new();
    let tar = tempfile::NamedTempFile::new().expect("a file");
    run("tar", &["-C", &debian().display().to_string(), "-cf", &tar.path().display().to_string(), "."]);
    podman.run(&["import", &tar.path().display().to_string(), "localhost/builder"]);
    let context = context();
    let at = context.path().display().to_string();
    for dockerfile in ["Dockerfile.run", "Dockerfile.bind"] {
        let file = format!("{at}/{dockerfile}");
        let builder = "BUILDER=localhost/builder";
        podman.buildah(&[
            "build",
            "--isolation",
            "chroot",
            "--build-arg",
            builder,
            "-f",
            &file,
            "-t",
            "localhost/app",
            &at,
        ]);
        podman.start(&["-d", "--network", "host", "--name", "app", "localhost/app"]);
        let page = page(23090);
        podman.run(&["rm", "-f", "app"]);
        assert!(page.contains(PAGE), "{dockerfile}: {page}");
    }
}

/// Debian's curl, packed in every format; returns the archive's path for each codec.
fn packed(dir: &Path) -> Vec<(String, String)> {
    let root = debian().display().to_string();
    let mut made = Vec::new();
    for codec in ["gzip", "zstd", "none"] {
        let at = |name: &str| format!("{}/{codec}-{name}", dir.display());
        let outputs = [
            format!("oci:{}:v1", at("layout")),
            format!("oci-archive:{}:localhost/curl-{codec}:v1", at("oci.tar")),
            format!("docker-archive:{}:localhost/curl-{codec}:v1", at("docker.tar")),
        ];
        let mut args = vec!["build", "--root", &root, "--compression", codec, "--label", ""];
        let label = format!("codec={codec}");
        args[6] = &label;
        for output in &outputs {
            args.extend(["-o", output]);
        }
        args.extend(["--", "curl", "--fail"]);
        pack(&args);
        made.push((codec.to_owned(), at("")));
    }
    made
}

#[test]
fn skopeo_and_umoci_accept_every_form() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for (codec, at) in packed(dir.path()) {
        for source in [
            format!("oci:{at}layout:v1"),
            format!("oci-archive:{at}oci.tar:localhost/curl-{codec}:v1"),
            format!("docker-archive:{at}docker.tar:localhost/curl-{codec}:v1"),
        ] {
            let told = run("skopeo", &["inspect", "--config", &source]);
            let config: serde_json::Value = serde_json::from_str(&told).expect("JSON");
            assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/bin/curl", "--fail"]), "{source}");
            assert_eq!(config["architecture"], "amd64");
            assert_eq!(config["config"]["User"], "65532:65532");
            assert_eq!(config["created"], "1980-01-02T00:00:00Z");
            let copied = format!("dir:{}/copy", dir.path().display());
            run("skopeo", &["--insecure-policy", "copy", "-q", &source, &copied]);
        }
        // umoci of Debian 12 does not support zstd layers.
        if codec != "zstd" {
            let bundle = format!("{at}bundle");
            run("umoci", &["unpack", "--image", &format!("{at}layout:v1"), &bundle]);
            assert!(Path::new(&bundle).join("rootfs/usr/bin/curl").is_file());
        }
    }
}

#[test]
fn podman_and_docker_load_and_run_every_form() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let images = packed(dir.path());
    let podman = Podman::new();
    let docker = Docker::start();
    for (codec, at) in &images {
        for form in ["oci.tar", "docker.tar"] {
            let (archive, name) = (format!("{at}{form}"), format!("localhost/curl-{codec}:v1"));
            podman.run(&["load", "-q", "-i", &archive]);
            let told = podman.start(&["--rm", "--network", "none", &name, "--version"]);
            assert!(told.starts_with("curl "), "podman, {form}, {codec}: {told}");
            // docker of Debian 12 does not load zstd layers; newer versions do.
            if codec != "zstd" {
                docker.run(&["load", "-q", "-i", &archive]);
                let told = docker.run(&["run", "--rm", "--network", "none", &name, "--version"]);
                assert!(told.starts_with("curl "), "docker, {form}, {codec}: {told}");
            }
        }
    }
}

#[test]
fn the_layer_lists_what_the_directory_holds() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = debian().display().to_string();
    let (tree, tar) = (dir.path().join("tree"), dir.path().join("layer.tar"));
    let outputs = [format!("dir:{}", tree.display()), format!("tar:{}", tar.display())];
    pack(&["build", "--root", &root, "-o", &outputs[0], "-o", &outputs[1], "--include", "/var/log", "--", "nginx"]);
    let format = "%P|%y|%m|%s|%U:%G|%l\\n";
    let found = run("find", &[&tree.display().to_string(), "-mindepth", "1", "-printf", format]);
    let again = dir.path().join("again");
    fs::create_dir(&again).expect("made");
    // GNU tar judges the archive: the tree that it unpacks must give the same listing.
    run("tar", &["--numeric-owner", "-p", "-C", &again.display().to_string(), "-xf", &tar.display().to_string()]);
    let unpacked = run("find", &[&again.display().to_string(), "-mindepth", "1", "-printf", format]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // The size of a directory depends on the file system.
        lines.iter_mut().filter(|line| line.contains("|d|")).for_each(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            *line = [fields[0], fields[1], fields[2], fields[4]].join("|");
        });
        lines.sort();
        lines
    };
    assert_eq!(sorted(&found), sorted(&unpacked));
    assert!(found.contains("var/log/nginx|d|755|4096|33:4|") || found.contains("var/log/nginx|d|755"), "{found}");
}

#[test]
fn the_same_root_gives_the_same_bytes_to_anybody_anywhere() {
    if !need::all(TOOLS) {
        return;
    }
    let root = debian().display().to_string();
    let binary = env!("CARGO_BIN_EXE_slimroot");
    let shared = tempfile::tempdir().expect("a directory");
    let copy = shared.path().join("slimroot");
    fs::copy(binary, &copy).expect("copied");
    let mut digests = Vec::new();
    for (umask, uid, threads) in [("022", "0", "1"), ("077", "0", "2"), ("000", "1000", "3"), ("027", "1000", "8")] {
        let dir = tempfile::tempdir().expect("a directory");
        std::os::unix::fs::chown(dir.path(), Some(uid.parse().expect("a number")), None).expect("owned");
        run("chmod", &["755", &shared.path().display().to_string()]);
        let script = "umask $0 && cd $1 && exec setpriv --reuid $2 --regid $2 --clear-groups $3 build --root $4 \
                      --threads $5 -o oci-archive:a.tar:localhost/x:1 -- curl";
        let (place, copy) = (dir.path().display().to_string(), copy.display().to_string());
        run("sh", &["-c", script, umask, &place, uid, &copy, &root, threads]);
        let sum = run("sha256sum", &[&dir.path().join("a.tar").display().to_string()]);
        digests.push(sum.split(' ').next().unwrap_or_default().to_owned());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[test]
fn an_arm64_root_is_packed_here_and_runs_under_qemu() {
    foreign("arm64", "arm64", "qemu-aarch64-static");
}

/// The loader of this architecture has its constants after its code, and libraries are in two default directories.
#[test]
fn an_armhf_root_is_packed_here_and_runs_under_qemu() {
    foreign("armhf", "arm", "qemu-arm-static");
}

/// Packs a Debian root of another architecture, and runs the result.
fn foreign(debian: &str, oci: &str, qemu: &str) {
    if !need::all(&[TOOLS, &[qemu]].concat()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = debian_of(debian).display().to_string();
    let (tree, layout) = (dir.path().join("tree"), dir.path().join("layout"));
    let outputs = [format!("dir:{}", tree.display()), format!("oci:{}:v1", layout.display())];
    pack(&["build", "--root", &root, "-o", &outputs[0], "-o", &outputs[1], "--", "sqlite3"]);
    let qemu = run("sh", &["-c", &format!("command -v {qemu}")]);
    fs::copy(qemu.trim(), tree.join("qemu")).expect("copied");
    let query = "select json_extract('{\"a\":42}', '$.a')";
    let told = run("chroot", &[&tree.display().to_string(), "/qemu", "/usr/bin/sqlite3", ":memory:", query]);
    assert_eq!(told.trim(), "42");
    let config = run("skopeo", &["inspect", "--config", &format!("oci:{}:v1", layout.display())]);
    assert!(config.contains(&format!("\"architecture\": \"{oci}\"")), "{config}");
}

#[test]
fn a_lost_library_is_named_with_its_cause_and_cure() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    run("cp", &["-a", &debian().display().to_string(), &root.display().to_string()]);
    let lib = "usr/lib/x86_64-linux-gnu";
    fs::create_dir(root.join("opt/h2")).expect("made");
    let real = fs::canonicalize(root.join(lib).join("libnghttp2.so.14")).expect("the library");
    fs::rename(real, root.join("opt/h2/libnghttp2.so.14")).expect("moved");
    let output = slimroot(&["check", "--root", &root.display().to_string(), "--format", "json", "curl"]);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let finding = told["findings"].as_array().into_iter().flatten().find(|each| each["code"] == "missing-library");
    let finding = finding.expect("the finding");
    assert_eq!(finding["subject"], "libnghttp2.so.14");
    assert_eq!(finding["wanted_by"], "/lib/x86_64-linux-gnu/libcurl.so.4");
    let sources: Vec<_> =
        finding["searched"].as_array().into_iter().flatten().map(|step| step["source"].clone()).collect();
    assert_eq!(sources[..4], ["rpath", "ld_library_path", "runpath", "cache"]);
    assert_eq!(sources[4..], ["default"; 4]);
    let help: Vec<&str> = finding["help"].as_array().into_iter().flatten().filter_map(|line| line.as_str()).collect();
    assert!(help[0].contains("libnghttp2-14") && help[0].contains("reinstall"), "{help:?}");
    assert!(help[1].contains("/opt/h2/libnghttp2.so.14") && help[1].contains("LD_LIBRARY_PATH=/opt/h2"), "{help:?}");
    // Verify that the suggested remedy works.
    let cured =
        ["check", "--root", &root.display().to_string(), "--env", "LD_LIBRARY_PATH=/opt/h2", "curl"].map(str::to_owned);
    assert_eq!(slimroot(&cured.each_ref().map(String::as_str)).status.code(), Some(0));
    let out = format!("dir:{}/out", dir.path().display());
    let failed = slimroot(&["build", "--root", &root.display().to_string(), "-o", &out, "--", "curl"]);
    assert_eq!((failed.status.code(), dir.path().join("out").exists()), (Some(1), false));
    let allowed = [
        "build",
        "--root",
        &root.display().to_string(),
        "--allow",
        "missing-library=libnghttp2.so.14",
        "-o",
        &out,
        "--",
        "curl",
    ];
    assert_eq!(slimroot(&allowed).status.code(), Some(0));
}

#[test]
fn a_full_disk_and_signals_leave_nothing_behind() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (root, disk) = (debian().display().to_string(), dir.path().display().to_string());
    run("mount", &["-t", "tmpfs", "-o", "size=3m", "none", &disk]);
    let names = || fs::read_dir(dir.path()).expect("listed").count();
    for output in ["dir:{}/x", "oci:{}/x", "oci-archive:{}/x", "tar:{}/x"] {
        let output = output.replace("{}", &disk);
        let full = slimroot(&["build", "--root", &root, "-o", &output, "--", "curl"]);
        let said = String::from_utf8_lossy(&full.stderr).into_owned();
        assert_eq!((full.status.code(), names()), (Some(3), 0), "{output}: {said}");
        assert!(said.contains("error[disk-full]"), "{said}");
    }
    run("umount", &[&disk]);
    for (signal, expected) in [("INT", Some(130)), ("TERM", Some(130)), ("KILL", None)] {
        let output = format!("oci-archive:{disk}/x");
        let args =
            ["build", "--root", &root, "--compression", "zstd:19", "-o", &output, "--include", "/usr", "--", "curl"];
        let mut child = Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).spawn().expect("starts");
        // Wait until it writes: before that, there is nothing that it could leave behind.
        engines::wait(std::time::Duration::from_secs(60), || names() > 0);
        run("kill", &["-s", signal, &child.id().to_string()]);
        let status = child.wait().expect("ends");
        assert_eq!(status.code(), expected, "{signal}");
        assert!(!dir.path().join("x").exists(), "{signal}");
        if expected.is_some() {
            assert_eq!(names(), 0, "{signal}");
        }
    }
}
