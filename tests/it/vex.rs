//! VEX documents and outdated packages. Judges: a validator of CycloneDX, rules of OpenVEX in Python, and dpkg.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::runs::{slimroot, text, told};
use crate::support::{need, roots};

/// Rules of OpenVEX 0.2.0 (OPENVEX-SPEC.md, "VEX Documents" and "Statement fields").
const OPENVEX: &str = r#"
import json, re, sys
d = json.load(open(sys.argv[1]))
assert set(d) <= {"@context", "@id", "author", "role", "timestamp", "last_updated", "version", "tooling", "statements"}
assert d["@context"].startswith("https://openvex.dev/ns") and re.match("[a-z]+:", d["@id"]) and d["author"]
assert isinstance(d["version"], int) and d["version"] >= 1 and d["statements"]
time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$")
assert time.match(d["timestamp"])
texts = [json.dumps(s, sort_keys=True) for s in d["statements"]]
assert len(set(texts)) == len(texts)
for s in d["statements"]:
    assert s["vulnerability"]["name"]
    assert s["status"] in {"not_affected", "affected", "fixed", "under_investigation"}
    if s["status"] == "not_affected":
        assert ("justification" in s) != ("impact_statement" in s)
        assert s.get("justification") in {None, "component_not_present", "vulnerable_code_not_present"}
    assert "timestamp" not in s or time.match(s["timestamp"])
    for p in s["products"]:
        assert re.match("[a-z]+:", p["@id"])
        assert all(re.match("pkg:", c["@id"]) for c in p["subcomponents"])
"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn read(path: &str) -> Value {
    json(&fs::read_to_string(path).expect("a document"))
}

fn python(program: &Path, code: &str, file: &str) {
    let judged = Command::new(program).args(["-c", code, file]).output().expect("python runs");
    assert!(judged.status.success(), "{}{}", text(&judged.stdout), text(&judged.stderr));
}

/// What is stated: vulnerability, component and justification.
fn stated(openvex: &Value) -> Vec<(String, String, String)> {
    let one = |row: &Value| {
        let field = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let part = field(&row["products"][0]["subcomponents"][0]["@id"]);
        let short = part.split(['@', '?']).next().unwrap_or_default().to_owned();
        (field(&row["vulnerability"]["name"]), short, field(&row["justification"]))
    };
    openvex["statements"].as_array().expect("statements").iter().map(one).collect()
}

/// A builder with packages of dpkg and of languages, and the image of one of them.
struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self { dir: tempfile::tempdir().expect("a directory") };
        let package = |name: &str, version: &str| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n")
        };
        let status =
            [package("kept", "1:1.0-1"), package("gone", "1:2.0-1"), package("moved", "3.0"), package("hollow", "4.0")];
        case.put("builder/var/lib/dpkg/status", &status.concat());
        let lists = [
            ("kept", "/usr/lib/kept/used\n/usr/lib/kept/unused\n"),
            ("gone", "/usr/lib/gone/code\n/usr/share/doc/gone/copyright\n/usr/lib/gone/empty\n"),
            ("moved", "/usr/lib/moved/code\n"),
            ("hollow", "/usr/share/doc/hollow/copyright\n"),
        ];
        for (name, list) in lists {
            case.put(&format!("builder/var/lib/dpkg/info/{name}.list"), list);
        }
        for path in ["kept/used", "kept/unused", "gone/code", "moved/code"] {
            case.put(&format!("builder/usr/lib/{path}"), &format!("the code of {path}"));
        }
        case.put("builder/usr/lib/gone/empty", "");
        for name in ["gone", "hollow"] {
            case.put(&format!("builder/usr/share/doc/{name}/copyright"), "free");
        }
        let site = "builder/usr/lib/python3/dist-packages";
        for (name, record) in [("whole", "whole.py,,\nwhole-1.dist-info/METADATA,,\n"), ("part", "")] {
            case.put(
                &format!("{site}/{name}-1.dist-info/METADATA"),
                &format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"),
            );
            case.put(&format!("{site}/{name}-1.dist-info/RECORD"), record);
            case.put(&format!("{site}/{name}.py"), &format!("# {name}"));
        }
        // The image: a file of one package, and a file of another one at another place. A file with other contents.
        for (path, text) in
            [("usr/lib/kept/used", "changed"), ("opt/copy", "the code of moved/code"), ("srv/own", "own")]
        {
            case.put(&format!("image/{path}"), text);
        }
        case.put("image/usr/share/doc/gone/copyright", "free");
        case.put("image/usr/empty", "");
        case
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn vex(&self, list: &str, more: &[&str]) -> Output {
        self.put("list", list);
        let (builder, image, list) = (self.at("builder"), self.at("image"), self.at("list"));
        let args = ["vex", "--builder", &builder, "--vulnerabilities", &list, "--product", "pkg:oci/app@sha256%3Aab"];
        slimroot(&[&args[..], more, &[&image]].concat())
    }
}

#[test]
fn nothing_is_stated_that_the_files_do_not_prove() {
    let case = Case::new();
    let out = case.at("vex.json");
    let list = "# by hand\nCVE-1 kept\nCVE-2 kept /usr/lib/kept/unused\nCVE-3 kept /usr/lib/kept/used /usr/lib/kept/unused\n\
                CVE-4 gone\nCVE-5 pkg:deb/debian/gone@2.0-1?epoch=1\nCVE-6 gone=1:9\nCVE-7 moved\nCVE-8 hollow\nCVE-9 whole\n\
                CVE-10 part\nCVE-11 absent\n";
    let done = case.vex(list, &["-o", &out]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let (absent, code) = ("component_not_present", "vulnerable_code_not_present");
    let row = |id: &str, part: &str, why: &str| (id.to_owned(), part.to_owned(), why.to_owned());
    // There is no os-release, so the URL with a distribution names another component.
    let expected = [
        row("CVE-2", "pkg:deb/kept", code),
        row("CVE-4", "pkg:deb/gone", absent),
        row("CVE-9", "pkg:pypi/whole", absent),
    ];
    assert_eq!(stated(&read(&out)), expected, "{}", text(&done.stderr));
    let notes = text(&done.stderr);
    for note in
        ["CVE-7 of moved", "CVE-8 of hollow", "CVE-10 of part", "CVE-6 of gone=1:9", "1 files of the image are not"]
    {
        assert!(notes.contains(note), "{note}: {notes}");
    }
    python(Path::new("python3"), OPENVEX, &out);
    // The bytecode of a module stands for its source.
    case.put("image/usr/lib/python3/dist-packages/__pycache__/whole.cpython-311.pyc", "x");
    let none = case.vex("CVE-9 whole", &[]);
    assert!(
        none.status.code() == Some(3) && text(&none.stderr).contains("error[nothing-stated]"),
        "{}",
        text(&none.stderr)
    );
    // A file that is moved aside is one of its package.
    case.put("builder/var/lib/dpkg/diversions", "/usr/lib/gone/code\n/usr/lib/gone/code.real\nother\n");
    case.put("image/usr/lib/gone/code.real", "x");
    assert_eq!(case.vex("CVE-4 gone", &[]).status.code(), Some(3));
    // Files of nobody, or of another package.
    for list in ["CVE-1 kept /usr/lib/gone/code", "CVE-1 kept /nowhere", "CVE-1 kept relative", "CVE-1"] {
        let refused = case.vex(list, &[]);
        assert!(matches!(refused.status.code(), Some(2 | 3)) && refused.stdout.is_empty(), "{list}");
    }
    // An image of another builder.
    fs::remove_dir_all(case.at("image")).expect("removed");
    case.put("image/other", "other");
    assert_eq!(case.vex("CVE-4 gone", &[]).status.code(), Some(2));
}

/// The certificates of a package are in bundles, which belong to no package: OpenSSL makes two, of which one is bundled.
#[test]
fn certificates_in_a_bundle_are_those_of_their_package() {
    if !need::all(&["openssl"]) {
        return;
    }
    let case = Case::new();
    let made = |name: &str| {
        let args =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"];
        let more = ["-days", "1", "-subj", &format!("/CN={name}")].map(str::to_owned);
        let output = Command::new("openssl").args(args).args(more).output().expect("openssl runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let (own, other) = (made("own"), made("other"));
    case.put("builder/usr/lib/gone/own.crt", &format!("a comment\n{own}"));
    let list = "/usr/lib/gone/code\n/usr/lib/gone/own.crt\n";
    case.put("builder/var/lib/dpkg/info/gone.list", list);
    let code = || case.vex("CVE-4 gone", &[]).status.code();
    case.put("image/etc/bundle.crt", &other);
    assert_eq!(code(), Some(0));
    case.put("image/etc/bundle.crt", &format!("{other}\n# own\n{}", own.replace('\n', "\r\n")));
    assert_eq!(code(), Some(3));
    // The certificates in a key store are not looked at, so any may be there.
    fs::remove_file(case.at("image/etc/bundle.crt")).expect("removed");
    fs::write(case.at("image/etc/cacerts"), [0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2]).expect("written");
    assert_eq!(code(), Some(3));
}

#[test]
fn a_given_document_is_kept_and_decides() {
    let case = Case::new();
    let out = case.at("vex.json");
    let given = r#"{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://a.example/1","author":"A","timestamp":"2024-01-01T00:00:00Z","version":1,
        "statements":[{"vulnerability":{"name":"CVE-4"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/gone@1%3A2.0-1?arch=all"}]}],"status":"affected","action_statement":"wait"},
        {"vulnerability":{"name":"CVE-5"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/other@1"}]}],"status":"fixed"},
        {"vulnerability":{"name":"CVE-6"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/gone@1%3A2.0-1"}]}],"status":"under_investigation"}]}"#;
    case.put("given.json", given);
    let merge = ["--merge", &case.at("given.json"), "-o", &out];
    let done = case.vex("CVE-4 gone\nCVE-5 gone\nCVE-6 gone\n", &merge);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let merged = read(&out);
    python(Path::new("python3"), OPENVEX, &out);
    let names: Vec<(&str, &str)> = merged["statements"]
        .as_array()
        .expect("statements")
        .iter()
        .map(|row| (row["vulnerability"]["name"].as_str().expect("a name"), row["status"].as_str().expect("a status")))
        .collect();
    let expected = [
        ("CVE-4", "affected"),
        ("CVE-5", "fixed"),
        ("CVE-6", "under_investigation"),
        ("CVE-5", "not_affected"),
        ("CVE-6", "not_affected"),
    ];
    assert_eq!(names, expected);
    assert_eq!(merged["statements"][0]["timestamp"], "2024-01-01T00:00:00Z");
    // The other format, damaged ones, and one that is none.
    let refused = case.vex("CVE-5 gone", &["--merge", &case.at("given.json"), "--format", "cyclonedx"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    for bad in
        ["", "{", "[]", "{}", r#"{"bomFormat":"CycloneDX"}"#, r#"{"bomFormat":"CycloneDX","vulnerabilities":[1]}"#]
    {
        case.put("given.json", bad);
        let refused = case.vex("CVE-5 gone", &["--merge", &case.at("given.json")]);
        assert!(text(&refused.stderr).contains("error[bad-vex]"), "{bad}: {}", text(&refused.stderr));
    }
}

#[test]
fn validators_accept_cyclonedx_with_hostile_names() {
    let Some(bin) = super::sbom::judges() else { return };
    let case = Case::new();
    let out = case.at("vex.cdx.json");
    let given = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"container","name":"app","bom-ref":"the-app"}},
        "components":[{"type":"library","name":"x","bom-ref":"x"}],
        "vulnerabilities":[{"id":"CVE-4","analysis":{"state":"exploitable"},"affects":[{"ref":"x"}]}]}"#;
    case.put("given.json", given);
    let list = "CVE-4 gone\nCVE-<b>\"|`\u{202e}\u{1b}[31m gone\n";
    for merge in [&[][..], &["--merge", &case.at("given.json")]] {
        let done = case.vex(list, &[&["--format", "cyclonedx", "--author", "<&\">", "-o", &out], merge].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        assert!(!text(&done.stderr).contains(['\u{1b}', '\u{202e}']));
        python(&bin.join("python"), super::sbom::CYCLONEDX, &out);
        let made = read(&out);
        let rows = made["vulnerabilities"].as_array().expect("rows");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1]["analysis"]["justification"], "code_not_present");
        assert_eq!(rows[1]["affects"][0]["ref"], made["metadata"]["component"]["bom-ref"]);
    }
}

#[test]
fn outdated_packages_are_those_whose_versions_differ_for_dpkg() {
    if !need::all(&["mmdebstrap", "dpkg-query"]) {
        return;
    }
    let (root, dir) = (roots::debian().display().to_string(), tempfile::tempdir().expect("a directory"));
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (plan, image) = (at("plan.json"), at("image"));
    told(&["build", "--root", &root, "-o", &image, "--plan-out", &plan, "--", "/usr/bin/curl"]);
    for before in [&plan, &image] {
        assert!(told(&["outdated", before, &root]).starts_with("0 packages have another version"), "{before}");
    }
    // The same root some time later: curl is newer, and zlib1g is gone.
    let database = dir.path().join("later/var/lib/dpkg");
    fs::create_dir_all(database.join("info")).expect("made");
    let status = fs::read_to_string(format!("{root}/var/lib/dpkg/status")).expect("a database");
    let later: Vec<String> = status
        .split("\n\n")
        .filter(|stanza| !stanza.starts_with("Package: zlib1g\n"))
        .map(|stanza| match stanza.starts_with("Package: curl\n") {
            true => stanza.replace("\nVersion: ", "\nVersion: 9:"),
            false => stanza.to_owned(),
        })
        .collect();
    fs::write(database.join("status"), later.join("\n\n")).expect("written");
    let found = json(&told(&["outdated", "--format", "json", &plan, &at("later")]));
    let ask = |admin: &str, name: &str| {
        let args = [&format!("--admindir={admin}"), "-W", "-f=${Version}", name].map(str::to_owned);
        let output = Command::new("dpkg-query").args(args).output().expect("dpkg-query runs");
        text(&output.stdout)
    };
    let rows = found["packages"].as_array().expect("packages");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, ["curl", "zlib1g"]);
    assert_eq!(rows[0]["image"], ask(&format!("{root}/var/lib/dpkg"), "curl").as_str());
    assert_eq!(rows[0]["root"], ask(&database.display().to_string(), "curl").as_str());
    assert!(rows[1]["root"].is_null());
    let refused = slimroot(&["outdated", "--fail-if-outdated", &plan, &at("later")]);
    assert_eq!(refused.status.code(), Some(5));
    // Nothing to compare.
    fs::create_dir(dir.path().join("empty")).expect("made");
    assert_eq!(slimroot(&["outdated", &plan, &at("empty")]).status.code(), Some(2));
    assert_eq!(slimroot(&["outdated", &at("empty"), &root]).status.code(), Some(2));
}
