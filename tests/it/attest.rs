//! Documents that travel with an image. Judges: Debian's registry, skopeo, jsonschema, syft, and the files themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::need;
use crate::support::registry::{Process, serve};
use crate::support::runs::{slimroot, text, told, world};

/// Debian's registry on loopback, which knows no referrers, and its port.
fn registry(dir: &Path) -> Option<(Process, u16)> {
    need::all(&["docker-registry", "skopeo"]).then(|| serve(dir, "", "log: {level: error}\n"))
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn blob(layout: &Path, digest: &str) -> Vec<u8> {
    fs::read(layout.join("blobs/sha256").join(digest.strip_prefix("sha256:").expect("a digest"))).expect("a blob")
}

fn index(layout: &Path) -> Vec<Value> {
    json(&fs::read(layout.join("index.json")).expect("an index"))["manifests"].as_array().expect("rows").clone()
}

fn skopeo(args: &[&str]) -> String {
    let output = Command::new("skopeo").args(args).output().expect("skopeo runs");
    assert!(output.status.success(), "skopeo {args:?} {}", text(&output.stderr));
    text(&output.stdout)
}

/// Every blob of a layout has the digest that is its name, as Python computes it.
fn blobs_are_whole(layout: &Path) {
    let judge = "import hashlib, pathlib, sys\nfor p in pathlib.Path(sys.argv[1]).iterdir():\n    \
                 assert hashlib.sha256(p.read_bytes()).hexdigest() == p.name, p";
    let args = ["-c", judge, &layout.join("blobs/sha256").display().to_string()];
    assert!(Command::new("python3").args(args).status().expect("python3 runs").success());
}

#[test]
fn a_layout_keeps_documents_beside_their_image() {
    let world = world();
    let (root, layout) = (world.path().join("root").display().to_string(), world.path().join("layout"));
    let to = |tag: &str| format!("oci:{}:{tag}", layout.display());
    let build = |tag: &str, more: &[&str]| {
        told(&[&["build", "--root", root.as_str(), "-o", &to(tag)], more, &["--", "/bin/true"]].concat());
    };
    build("a", &["--attach", "spdx-json", "--attach", "in-toto:cyclonedx-json", "--attach", "provenance"]);
    blobs_are_whole(&layout);
    let rows = index(&layout);
    assert_eq!(rows.len(), 4, "{rows:?}");
    let image = rows[0]["digest"].as_str().expect("a digest").to_owned();
    let mut kinds = BTreeMap::new();
    for row in &rows[1..] {
        let manifest = json(&blob(&layout, row["digest"].as_str().expect("a digest")));
        assert_eq!(manifest["subject"]["digest"], image.as_str());
        assert_eq!(manifest["artifactType"], row["artifactType"]);
        let document = json(&blob(&layout, manifest["layers"][0]["digest"].as_str().expect("a digest")));
        if row["artifactType"] == "application/vnd.in-toto+json" {
            assert_eq!(format!("sha256:{}", document["subject"][0]["digest"]["sha256"].as_str().expect("one")), image);
            assert_eq!(row["annotations"]["in-toto.io/predicate-type"], document["predicateType"]);
        }
        let kind = document.get("predicateType").and_then(Value::as_str).unwrap_or_default().to_owned();
        kinds.insert(kind, document);
    }
    let keys: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(keys, ["", "https://cyclonedx.org/bom", "https://slsa.dev/provenance/v1"]);
    assert_eq!(kinds[""]["spdxVersion"], "SPDX-2.3");
    let made = &kinds["https://slsa.dev/provenance/v1"]["predicate"];
    assert_eq!(made["buildDefinition"]["externalParameters"]["entry"][0], "/bin/true");

    // Another image of the same tag: documents of the old one go with it, and those of other tags stay.
    build("b", &["--attach", "spdx-json", "--label", "x=b"]);
    build("a", &["--label", "x=a"]);
    let rows = index(&layout);
    let count = |kind: &str| rows.iter().filter(|row| row["artifactType"].as_str().unwrap_or_default() == kind).count();
    assert_eq!((count(""), count("application/spdx+json"), rows.len()), (2, 1, 3), "{rows:?}");
    // Those who read the layout take the documents for no images.
    build("a", &["--attach", "spdx-json"]);
    assert!(told(&["sbom", &to("b")]).contains("SPDX-2.3"));
    if need::all(&["skopeo"]) {
        for tag in ["a", "b"] {
            skopeo(&["copy", "-q", &to(tag), &format!("dir:{}", world.path().join(tag).display())]);
        }
    }
    let alone = world.path().join("alone");
    let alone = format!("oci:{}", alone.display());
    told(&["build", "--root", &root, "-o", &alone, "--attach", "spdx-json", "--", "/bin/true"]);
    assert!(told(&["sbom", "--in-toto", &alone]).starts_with("{\"_type\":\"https://in-toto.io/Statement/v1\""));
    // A destination that has no place for them.
    let refused = slimroot(&["build", "--root", &root, "-o", "tar:-", "--attach", "spdx-json", "--", "/bin/true"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{}", text(&refused.stderr));
}

#[test]
fn a_registry_without_referrers_gets_an_index_under_the_tag_of_the_digest() {
    let world = world();
    let Some((_server, port)) = registry(world.path()) else { return };
    let (root, address) =
        (world.path().join("root").display().to_string(), format!("docker://127.0.0.1:{port}/team/app"));
    let build = |more: &[&str]| {
        let to = format!("{address}:1");
        told(&[&["build", "--root", root.as_str(), "-o", &to], more, &["--", "/bin/true"]].concat());
    };
    build(&["--attach", "spdx-json"]);
    build(&["--attach", "spdx-json", "--attach", "provenance"]);
    let raw = |what: &str| skopeo(&["inspect", "--tls-verify=false", "--raw", &format!("{address}{what}")]);
    let digest = skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("{address}:1")]);
    let listed = json(raw(&format!(":{}", digest.trim().replace(':', "-"))).as_bytes());
    let rows = listed["manifests"].as_array().expect("rows");
    let kinds: Vec<&str> = rows.iter().filter_map(|row| row["artifactType"].as_str()).collect();
    // The inventory is the same the second time, so it is there once.
    assert_eq!(kinds, ["application/spdx+json", "application/vnd.in-toto+json"]);
    for row in rows {
        let manifest = json(raw(&format!("@{}", row["digest"].as_str().expect("a digest"))).as_bytes());
        assert_eq!(manifest["subject"]["digest"], digest.trim());
    }
    // Something else under that tag is not overwritten.
    let tag = format!("{address}:{}", digest.trim().replace(':', "-"));
    skopeo(&["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", &format!("{address}:1"), &tag]);
    let to = format!("{address}:1");
    let args = ["build", "--root", &root, "-o", &to, "--attach", "cyclonedx-json", "--", "/bin/true"];
    let refused = slimroot(&args);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("error[bad-registry]"), "{}", text(&refused.stderr));
}

#[test]
fn an_inventory_inside_the_image_is_what_scanners_read() {
    let Some(bin) = super::sbom::judges() else { return };
    let world = world();
    let (root, out, plan) = (world.path().join("root"), world.path().join("out"), world.path().join("plan"));
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    };
    let info = "usr/lib/python3/dist-packages/flask-3.0.0.dist-info";
    put(&format!("{info}/METADATA"), "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\n");
    let shown = |path: &Path| path.display().to_string();
    let (root_text, out_text, plan_text) = (shown(&root), shown(&out), shown(&plan));
    let include = format!("/{info}/**");
    let mut args =
        vec!["build", "--root", &root_text, "-o", &out_text, "--plan-out", &plan_text, "--include", &include];
    args.extend(["--sbom-inside", "cyclonedx-json", "--sbom-inside", "spdx-json", "--", "/bin/true"]);
    told(&args);
    let inside = out.join("usr/share/sbom");
    let found = json(&fs::read(inside.join("true.cdx.json")).expect("an inventory"));
    assert!(found["components"].as_array().expect("rows").iter().any(|row| row["purl"] == "pkg:pypi/flask@3.0.0"));
    assert!(inside.join("true.spdx.json").is_file());
    let planned = json(&fs::read(&plan).expect("a plan"));
    let paths = planned["entries"].as_array().expect("rows").iter().filter_map(|row| row["path"].as_str());
    assert_eq!(paths.filter(|path| path.starts_with("/usr/share/sbom/")).count(), 2);
    // syft, which sees nothing but the document.
    fs::remove_dir_all(out.join(info)).expect("removed");
    let judged = Command::new(bin.join("syft"))
        .args(["scan", &format!("dir:{out_text}"), "-q", "-o", "json", "--select-catalogers", "+sbom-cataloger"])
        .output()
        .expect("syft runs");
    assert!(judged.status.success(), "{}", text(&judged.stderr));
    let rows = json(&judged.stdout)["artifacts"].clone();
    assert!(rows.as_array().expect("rows").iter().any(|row| row["purl"] == "pkg:pypi/flask@3.0.0"), "{rows}");
    // A link in the place of the directory leads nowhere that slimroot would write to.
    std::os::unix::fs::symlink("/tmp", root.join("usr/share")).expect("a link");
    let args = ["build", "--root", &root_text, "-o", &shown(&world.path().join("b"))];
    let refused =
        slimroot(&[&args[..], &["--include", "/usr/share", "--sbom-inside", "spdx-json", "--", "/bin/true"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

/// Reads a predicate and statements with the types of in-toto, which know no other fields.
const IN_TOTO: &str = r#"
import json, pathlib, sys
from google.protobuf.json_format import Parse, ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
made = Parse(open(sys.argv[1]).read(), provenance_pb2.Provenance())
assert made.build_definition.build_type and made.run_details.builder.id
for wanted in made.build_definition.resolved_dependencies: assert wanted.uri or wanted.digest, wanted
found = 0
for blob in pathlib.Path(sys.argv[2], "blobs/sha256").iterdir():
    if not blob.read_bytes().startswith(b'{"_type"'): continue
    statement = Statement([], "", {})
    statement.pb.CopyFrom(ParseDict(json.loads(blob.read_bytes()), statement_pb2.Statement()))
    statement.validate()
    found += 1
    if statement.pb.predicate_type.startswith("https://slsa.dev"):
        assert Parse(json.dumps(json.loads(blob.read_bytes())["predicate"]), provenance_pb2.Provenance()) == made
assert found == 2, found
"#;

#[test]
fn provenance_and_statements_are_those_of_in_toto() {
    let Some(bin) = super::sbom::judges() else { return };
    let world = world();
    let at = |name: &str| world.path().join(name).display().to_string();
    let (root, out, predicate) = (at("root"), format!("oci:{}:a", at("layout")), at("predicate"));
    let args = ["build", "--root", &root, "-o", &out, "--provenance", &predicate, "--attach", "provenance"];
    told(&[&args[..], &["--attach", "in-toto:spdx-json", "--env", "A=b", "--", "/bin/true"]].concat());
    let judged = Command::new(bin.join("python"))
        .args(["-c", IN_TOTO, &predicate, &at("layout")])
        .output()
        .expect("python runs");
    assert!(judged.status.success(), "{}", text(&judged.stderr));
}

/// The directories and variables of a run by BuildKit; its own reader (exporter/attestation/unbundle.go) wants each file
/// to be one statement with this type of predicate.
#[test]
fn buildkit_s_generator_protocol_is_kept() {
    let world = world();
    let at = |name: &str| world.path().join(name);
    for dir in ["extras/base", "out", "none"] {
        fs::create_dir_all(at(dir)).expect("made");
    }
    fs::write(at("extras/a file"), "").expect("written");
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slimroot"));
        command.args(["sbom", "--buildkit"]);
        for (name, value) in variables {
            command.env(name, at(value));
        }
        command.output().expect("slimroot runs")
    };
    let (source, out) = (("BUILDKIT_SCAN_SOURCE", "root"), ("BUILDKIT_SCAN_DESTINATION", "out"));
    let done = run(&[source, out, ("BUILDKIT_SCAN_SOURCE_EXTRAS", "extras")]);
    assert!(done.status.success() && done.stdout.is_empty(), "{}", text(&done.stderr));
    let names = || {
        let mut names: Vec<String> = fs::read_dir(at("out"))
            .expect("listed")
            .map(|entry| entry.expect("one").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["base.spdx.json", "root.spdx.json"]);
    for name in names() {
        let statement = json(&fs::read(at("out").join(name)).expect("a statement"));
        assert_eq!(statement["predicateType"], "https://spdx.dev/Document");
        assert_eq!(statement["predicate"]["spdxVersion"], "SPDX-2.3");
    }
    fs::remove_file(at("out/base.spdx.json")).expect("removed");
    let done = run(&[source, out, ("BUILDKIT_SCAN_SOURCE_EXTRAS", "absent")]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(names(), ["root.spdx.json"]);
    assert_eq!(run(&[source]).status.code(), Some(2));
}
