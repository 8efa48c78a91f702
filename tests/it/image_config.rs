//! The configuration of images: options of the command line, and what an image as input says. Skopeo and podman judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::engines::{Podman, pack};
use crate::support::need;
use crate::support::roots::run;

const TOOLS: &[&str] = &["skopeo", "podman", "buildah", "runc"];

/// A root with this machine's C library, a few programs, a user, and a directory of that user.
fn root(dir: &Path) -> PathBuf {
    let root = dir.join("root");
    for file in ["bin/echo", "bin/true", "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"] {
        let place = root.join(file);
        fs::create_dir_all(place.parent().expect("a parent")).expect("made");
        fs::copy(Path::new("/").join(file), place).expect("a file of this machine");
    }
    for name in ["etc", "data", "srv", "tmp"] {
        fs::create_dir_all(root.join(name)).expect("made");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n").expect("written");
    std::os::unix::fs::chown(root.join("data"), Some(1000), Some(1001)).expect("an owner");
    fs::write(root.join("etc/group"), "root:x:0:\napp:x:1001:\n").expect("written");
    root
}

fn config(image: &str) -> Value {
    serde_json::from_str(&run("skopeo", &["inspect", "--raw", "--config", image])).expect("JSON")
}

fn manifest(image: &str) -> Value {
    serde_json::from_str(&run("skopeo", &["inspect", "--raw", image])).expect("JSON")
}

/// The fat image, written by buildah with docker's media types.
fn fat(dir: &Path, podman: &Podman) -> String {
    let root = root(dir).display().to_string();
    let container = podman.buildah(&["from", "scratch"]).trim().to_owned();
    // An archive keeps its owners; a directory would not.
    let archive = dir.join("root.tar").display().to_string();
    run("tar", &["--numeric-owner", "-C", &root, "-cf", &archive, "."]);
    podman.buildah(&["add", "-q", &container, &archive, "/"]);
    podman.buildah(&[
        "config",
        "--entrypoint",
        r#"["echo"]"#,
        "--cmd",
        "'a b' c",
        "--volume",
        "/data",
        "--stop-signal",
        "SIGINT",
        "--healthcheck",
        "CMD /bin/true",
        "--healthcheck-interval",
        "90s",
        "--healthcheck-retries",
        "5",
        "--user",
        "app",
        "--port",
        "8080",
        "--label",
        "org.opencontainers.image.title=Echo",
        "--workingdir",
        "/srv",
        "--author",
        "Somebody",
        "--env",
        "GREETING=good day",
        "--onbuild",
        "RUN true",
        &container,
    ]);
    podman.buildah(&["commit", "-q", "--format", "docker", &container, "localhost/fat:1"]);
    let archive = format!("docker-archive:{}", dir.join("fat.tar").display());
    podman.buildah(&["push", "-q", "localhost/fat:1", &archive]);
    archive
}

#[test]
fn a_slim_image_keeps_the_configuration_of_the_fat_one() {
    if !need::all(TOOLS) {
        return;
    }
    let (dir, podman) = (tempfile::tempdir().expect("a directory"), Podman::new());
    let fat = fat(dir.path(), &podman);
    let thin = format!("docker-archive:{}", dir.path().join("thin.tar").display());
    let files = format!("tar:{}", dir.path().join("files.tar").display());
    let slim = ["slim", &fat, "-t", "localhost/thin:1", "-o", &thin, "-o", &files];
    let slim = Command::new(env!("CARGO_BIN_EXE_slimroot")).args(slim).output().expect("started");
    let told = String::from_utf8_lossy(&slim.stderr);
    assert!(slim.status.success(), "{told}");
    assert!(told.contains("settings of the image that are not kept: OnBuild"), "{told}");
    let (before, after) = (config(&fat), config(&thin));
    for field in ["Cmd", "WorkingDir", "Volumes", "StopSignal", "Healthcheck", "Labels"].map(str::to_owned) {
        assert_ne!(before["config"][&field], Value::Null, "{field}: {before}");
        assert_eq!(after["config"][&field], before["config"][&field], "{field}");
    }
    // A port without a protocol is one of TCP (config.md, ExposedPorts).
    assert_eq!(after["config"]["ExposedPorts"], json!({ "8080/tcp": {} }));
    assert_eq!(after["author"], before["author"]);
    assert_eq!(after["config"]["User"], "1000:1001");
    assert_eq!(after["config"]["Entrypoint"], json!(["/bin/echo"]));
    let has = |image: &Value, text: &str| image["config"]["Env"].as_array().expect("a list").contains(&json!(text));
    assert!(has(&before, "GREETING=good day") && has(&after, "GREETING=good day"), "{after}");
    let archive = dir.path().join("thin.tar").display().to_string();
    podman.run(&["load", "-q", "-i", &archive]);
    let start = |args: &[&str]| podman.start(&[&["--rm", "--network", "none", "localhost/thin:1"], args].concat());
    assert_eq!(start(&[]), "a b c\n");
    assert_eq!(start(&["d"]), "d\n");
    let check = podman.run(&["image", "inspect", "--format", "{{json .HealthCheck}}", "localhost/thin:1"]);
    let check: Value = serde_json::from_str(&check).expect("JSON");
    assert_eq!((&check["Test"], &check["Retries"]), (&json!(["CMD", "/bin/true"]), &json!(5)));
    let listed = run("tar", &["--numeric-owner", "-tvf", &dir.path().join("files.tar").display().to_string()]);
    let data = listed.lines().find(|line| line.ends_with(" data/")).unwrap_or_default();
    assert!(data.contains("1000/1001") && listed.contains("bin/true"), "{listed}");
}

#[test]
fn options_write_every_setting() {
    if !need::all(TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = root(dir.path()).display().to_string();
    let at = |word: &str, name: &str| format!("{word}:{}", dir.path().join(name).display());
    let built = |more: &[&str], output: &str| pack(&[&["build", "--root", &root, "-o", output], more].concat());
    let (layout, other, command) = (at("oci", "layout"), at("oci", "other"), at("oci", "command"));
    built(
        &[
            "--entrypoint",
            "/bin/echo -n",
            "--cmd",
            r#"["x y", "z"]"#,
            "--volume",
            "/new/place",
            "--stop-signal",
            "SIGQUIT",
            "--author",
            "Me",
            "-t",
            "v2",
            "-l",
            "org.opencontainers.image.version=2",
            "-u",
            "7:8",
        ],
        &layout,
    );
    let image = config(&format!("{layout}:v2"));
    assert_eq!(image["config"]["Entrypoint"], json!(["/bin/echo", "-n"]));
    assert_eq!(image["config"]["Cmd"], json!(["x y", "z"]));
    assert_eq!(image["config"]["Volumes"], json!({ "/new/place": {} }));
    assert_eq!((&image["config"]["StopSignal"], &image["author"]), (&json!("SIGQUIT"), &json!("Me")));
    let document = manifest(&format!("{layout}:v2"));
    assert_eq!(document["annotations"]["org.opencontainers.image.version"], "2");
    assert_eq!(document["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let bundle = dir.path().join("bundle").display().to_string();
    run("umoci", &["unpack", "--image", &format!("{}:v2", dir.path().join("layout").display()), &bundle]);
    let owner = |path: &str| run("stat", &["-c", "%u:%g", &format!("{bundle}/rootfs/{path}")]).trim().to_owned();
    assert_eq!((owner("new"), owner("new/place")), ("0:0".to_owned(), "7:8".to_owned()));
    // A health check brings docker's media types, and its program.
    built(&["--healthcheck", "--interval=5s CMD true", "--", "/bin/echo"], &other);
    let (image, document) = (config(&other), manifest(&other));
    assert_eq!(image["config"]["Healthcheck"], json!({ "Test": ["CMD", "true"], "Interval": 5_000_000_000_u64 }));
    assert_eq!(document["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
    run("skopeo", &["--insecure-policy", "copy", "-q", &other, &at("docker-archive", "copied.tar")]);
    // Without an entry, the arguments are the command.
    built(&["--cmd", "echo one"], &command);
    let image = config(&command);
    assert_eq!((&image["config"]["Entrypoint"], &image["config"]["Cmd"]), (&Value::Null, &json!(["/bin/echo", "one"])));
}

/// The exit code and the message of a failed run.
fn fails(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("slimroot runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn bad_settings_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("x").display().to_string();
    for (option, value) in [
        ("--volume", "data"),
        ("--volume", "/"),
        ("--stop-signal", "sigint"),
        ("--stop-signal", "65"),
        ("--healthcheck", "--interval=soon true"),
        ("--healthcheck", ""),
        ("--cmd", "'open"),
        ("--cmd", "[1]"),
    ] {
        let (code, says) = fails(&["build", "-o", &out, option, value, "--", "/bin/true"]);
        assert_eq!(code, Some(2), "{option} {value}: {says}");
        assert!(says.contains("error[bad-argument]") && says.contains(option), "{option} {value}: {says}");
    }
    for (args, exit, cure) in
        [(["slim", "/"], 2, "slimroot build --root / -- PROGRAM"), (["slim", "image:1"], 3, "docker-archive:")]
    {
        let (code, says) = fails(&args);
        assert!(code == Some(exit) && says.contains(cure), "{args:?}: {says}");
    }
}

#[test]
fn an_archive_without_a_transport_is_refused() {
    for path in ["x.tar", "./x.tar", "out/x.tar.gz", "type=tar,dest=x.tar"] {
        let (code, says) = fails(&["build", "-o", path, "--", "/bin/true"]);
        let names = |word: &str| says.contains(&format!("{word}:"));
        assert!(["tar", "docker-archive", "oci-archive", "dir"].into_iter().all(names), "{path}: {says}");
        assert_eq!((code, Path::new(path).exists()), (Some(2), false), "{path}");
    }
}
