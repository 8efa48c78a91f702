//! Broken images with one problem each (`fixtures/broken`), built with gcc, packed with GNU tar, and examined by
//! `slimroot check` as finished images. If the loader or kernel reports the problem, the test verifies that first.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::laws::{Law, World, glibc, musl};
use crate::support::need;
use crate::{Needs, case, plain};

static IMAGES: Needs = Needs::new(&["gcc", "musl-gcc", "unshare", "python3", "tar"]);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Broken {
    /// The expected code; `None` for an image without problems.
    code: Option<String>,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    level: String,
    /// Text that the help or the message must contain.
    #[serde(default)]
    help: String,
    #[serde(default)]
    says: String,
    /// Other codes with the same cause.
    #[serde(default)]
    also: Vec<String>,
    /// The complaint of the real loader or kernel.
    dies: Option<String>,
    #[serde(default)]
    family: String,
    #[serde(default)]
    config: Config,
    world: Law,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    user: String,
    env: BTreeMap<String, String>,
    ports: Vec<String>,
    architecture: Option<String>,
    entrypoint: Option<String>,
    cmd: Vec<String>,
    healthcheck: Vec<String>,
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().expect("sha256sum runs");
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().expect("a digest").to_owned()
}

/// Adds a file to the blobs under its digest and returns its descriptor.
fn blob(layout: &Path, media_type: &str, file: &Path) -> Value {
    let hex = sha256(file);
    let size = fs::metadata(file).expect("a file").len();
    fs::rename(file, layout.join("blobs/sha256").join(&hex)).expect("moved");
    json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": size })
}

/// Creates an OCI layout of a directory without slimroot.
fn layout(root: &Path, config: &Config, layout: &Path) {
    fs::create_dir_all(layout.join("blobs/sha256")).expect("made");
    let scratch = layout.join("scratch");
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--sort=name", "-cf"]).arg(&scratch).arg("-C").arg(root).arg(".");
    let made = tar.output().expect("tar runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let diff_id = format!("sha256:{}", sha256(&scratch));
    let layer = blob(layout, "application/vnd.oci.image.layer.v1.tar", &scratch);
    let env: Vec<String> = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let ports: BTreeMap<&String, Value> = config.ports.iter().map(|port| (port, json!({}))).collect();
    let image = json!({
        "architecture": config.architecture.as_deref().unwrap_or("amd64"),
        "os": "linux",
        "config": {
            "Entrypoint": [config.entrypoint.as_deref().unwrap_or("/bin/prog")],
            "Cmd": config.cmd, "Env": env, "User": config.user, "ExposedPorts": ports,
            "Healthcheck": { "Test": config.healthcheck },
        },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    fs::write(&scratch, image.to_string()).expect("written");
    let image = blob(layout, "application/vnd.oci.image.config.v1+json", &scratch);
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "config": image, "layers": [layer] });
    fs::write(&scratch, manifest.to_string()).expect("written");
    let manifest = blob(layout, "application/vnd.oci.image.manifest.v1+json", &scratch);
    fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string())
        .expect("written");
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
}

fn check(image: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_slimroot"))
        .args(["check", "--format", "json", image])
        .output()
        .expect("slimroot runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn text<'v>(finding: &'v Value, key: &str) -> &'v str {
    finding[key].as_str().unwrap_or_default()
}

/// The difference from the fixture, if there is one.
fn differs(broken: &Broken) -> Option<String> {
    let family = if broken.family == "musl" { musl() } else { glibc() };
    let world = World::build(&broken.world, &family);
    if let Some(dies) = &broken.dies {
        let env: Vec<String> = broken.config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let uid = broken.config.user.parse::<u32>().map_or("0", |_| broken.config.user.as_str());
        let run = world.run_as(&broken.world, uid, &env.iter().map(String::as_str).collect::<Vec<_>>());
        let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
        if run.status.success() || !complaint.contains(dies.as_str()) {
            return Some(format!("the real one ends with {:?} and says {complaint}", run.status.code()));
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    layout(&world.root(), &broken.config, dir.path());
    let told = check(&format!("oci:{}", dir.path().display()));
    let findings: Vec<&Value> = told["findings"].as_array().expect("findings").iter().collect();
    let shown = || serde_json::to_string_pretty(&findings).unwrap_or_default();
    let others: Vec<&&Value> = findings
        .iter()
        .filter(|finding| text(finding, "level") != "note" && Some(text(finding, "code")) != broken.code.as_deref())
        .filter(|finding| !broken.also.iter().any(|also| also == text(finding, "code")))
        .collect();
    if !others.is_empty() {
        return Some(format!("more than one cause: {}", shown()));
    }
    let Some(code) = &broken.code else { return None };
    let Some(finding) =
        findings.iter().find(|finding| text(finding, "code") == code && text(finding, "subject") == broken.subject)
    else {
        return Some(format!("no {code} of {}: {}", broken.subject, shown()));
    };
    let help: Vec<&str> = finding["help"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let help = help.join("\n");
    let is_said = help.contains(&broken.help) && text(finding, "says").contains(&broken.says);
    let is_helpful = finding["help"].as_array().is_some_and(|help| !help.is_empty());
    (!is_said || !is_helpful || text(finding, "level") != broken.level).then(shown)
}

fn fixtures() -> Vec<(String, Broken)> {
    let folder = format!("{}/fixtures/broken", env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).expect("a fixture");
            let broken = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push((path.file_stem().expect("a name").to_string_lossy().into_owned(), broken));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(name, broken): (String, Broken)| {
        case(format!("broken::{name}"), move || {
            let is_run = IMAGES.are_met();
            is_run.then(|| differs(&broken)).flatten().into_iter().collect()
        })
    };
    let mut all: Vec<Trial> = fixtures().into_iter().map(trial).collect();
    assert!(all.len() >= 40, "only {} broken images", all.len());
    all.push(plain("broken::every_code_of_an_image_has_its_broken_image", every_code_of_an_image_has_its_broken_image));
    all.push(plain("broken::transports_are_read_alike", transports_are_read_alike));
    all.push(plain("broken::what_a_library_names_is_told", what_a_library_names_is_told));
    all
}

/// Every code needs a fixture, because a code that no test reports may be one that is never reported.
fn every_code_of_an_image_has_its_broken_image() {
    // These concern patterns and options in the builder, or an interpreter's modules: tests/it/cli.rs, guest.rs, trust.rs,
    // newcomer.rs and messages.rs test them.
    const OF_BUILDERS: [&str; 11] = [
        "ca-expired",
        "dangling-link",
        "default-dirs-guessed",
        "dlopen-suggested",
        "exclude-overruled",
        "foreign-elf",
        "module-missing",
        "not-made",
        "not-packed",
        "nothing-matched",
        "stale-allow",
    ];
    let known: Vec<String> = fixtures().into_iter().filter_map(|(_, broken)| broken.code).collect();
    let absent: Vec<&str> = slimroot::check::CHECKS
        .iter()
        .map(|check| check.code)
        .filter(|code| !OF_BUILDERS.contains(code) && !known.iter().any(|known| known == code))
        .collect();
    assert!(absent.is_empty(), "no broken image shows {absent:?}");
}

/// The same image in each transport; skopeo writes the archives.
fn transports_are_read_alike() {
    if !need::all(&["gcc", "skopeo", "unshare", "python3", "tar"]) {
        return;
    }
    let (_, broken) = fixtures().into_iter().find(|(name, _)| name == "missing-library").expect("the fixture");
    let world = World::build(&broken.world, &glibc());
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().display();
    layout(&world.root(), &broken.config, &dir.path().join("layout"));
    let plain = check(&format!("oci:{at}/layout"));
    for target in [
        format!("oci:{at}/copy:v1"),
        format!("oci-archive:{at}/a.tar:v1"),
        format!("docker-archive:{at}/d.tar:x.io/app:1"),
    ] {
        let copied = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", &format!("oci:{at}/layout"), &target])
            .output()
            .expect("skopeo runs");
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        assert_eq!(check(&target)["findings"], plain["findings"], "{target}");
    }
}

/// A library that contains the name of another one and opens it: the loader finds it, and `check` reports it in the
/// builder.
fn what_a_library_names_is_told() {
    if !need::all(&["gcc", "unshare", "python3"]) {
        return;
    }
    let law: Law = toml::from_str(
        r#"
        law = "a library opens another by name"
        prog = { needs = ["liba.so.1"] }
        libs = [
            { out = "/lib/x86_64-linux-gnu/liba.so.1", source = "void *dlopen(const char *, int); __attribute__((constructor)) void a(void) { dlopen(\"libb.so.1\", 2); }" },
            { out = "/lib/x86_64-linux-gnu/libb.so.1" },
        ]
        "#,
    )
    .expect("a law");
    let world = World::build(&law, &glibc());
    let heard = String::from_utf8_lossy(&world.run(&law, &[]).stdout).into_owned();
    assert!(heard.contains("/libb.so.1"), "the real loader opens it: {heard}");
    let told = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.args(["check", "--format", "json", "--root"]).arg(world.root()).args(words).arg("/bin/prog");
        let told: Value = serde_json::from_slice(&command.output().expect("slimroot runs").stdout).expect("JSON");
        let findings = told["findings"].as_array().expect("findings").clone();
        findings.into_iter().filter(|finding| text(finding, "code") == "dlopen-suggested").collect::<Vec<_>>()
    };
    let found = told(&[]);
    assert_eq!(found.len(), 1, "{found:?}");
    let real = text(&found[0], "subject");
    assert_eq!(real, "/lib/x86_64-linux-gnu/libb.so.1");
    let help = found[0]["help"][0].as_str().expect("help").to_owned();
    let words: Vec<&str> = help.split(' ').take(2).collect();
    assert_eq!(words, ["--include", real], "{help}");
    assert!(told(&words).is_empty(), "what the help says mends it");
    assert!(told(&["--loaded-only"]).is_empty(), "it is not what ldd -r looks at");
}
