//! Plans describe the image that is written: Python's tarfile and dpkg are the judges.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::runs::{text, told};
use crate::support::{need, roots};

/// Programs that make a root of Debian.
const MAKES: &[&str] = &["mmdebstrap", "python3"];

fn debian() -> String {
    roots::debian().display().to_string()
}

fn python(program: &str, args: &[&str]) -> String {
    let output = Command::new("python3").arg("-c").arg(program).args(args).output().expect("python3 runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a plan")).expect("JSON")
}

/// Entries of an archive as a plan has them.
const ENTRIES: &str = r#"
import hashlib, json, sys, tarfile
kinds = {tarfile.REGTYPE: "file", tarfile.LNKTYPE: "hardlink", tarfile.SYMTYPE: "link", tarfile.DIRTYPE: "dir"}
out = {}
with tarfile.open(sys.argv[1]) as archive:
    for m in archive:
        e = {"kind": kinds[m.type], "mode": "%04o" % m.mode, "uid": m.uid, "gid": m.gid}
        if m.isreg():
            data = archive.extractfile(m).read()
            if data: e["size"] = len(data)
            e["digest"] = "sha256:" + hashlib.sha256(data).hexdigest()
        if m.issym(): e["target"] = m.linkname
        if m.islnk(): e["target"] = "/" + m.linkname.lstrip("./")
        name = "/" + m.name.strip("./")
        if m.name.strip("./"): out["/" + m.name.removeprefix("./").strip("/")] = e
print(json.dumps(out))
"#;

#[test]
fn a_plan_is_what_the_archive_holds() {
    if !need::all(MAKES) {
        return;
    }
    let root = debian();
    let dir = tempfile::tempdir().expect("a directory");
    let (tar, plan) = (dir.path().join("image.tar"), dir.path().join("plan.json"));
    let to = format!("tar:{}", tar.display());
    told(&[
        "build",
        "-o",
        &to,
        "--plan-out",
        &plan.display().to_string(),
        "--strip",
        "--root",
        &root,
        "--",
        "date",
        "-u",
    ]);
    let plan = read(&plan);
    let judged: BTreeMap<String, Value> =
        serde_json::from_str(&python(ENTRIES, &[&tar.display().to_string()])).expect("JSON");
    let fields = ["kind", "mode", "uid", "gid", "size", "digest", "target"];
    let own: BTreeMap<String, Value> = plan["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            let own = fields.iter().filter_map(|field| Some(((*field).to_owned(), entry.get(*field)?.clone())));
            (entry["path"].as_str().expect("a path").to_owned(), Value::Object(own.collect()))
        })
        .collect();
    assert!(own.len() > 10);
    assert_eq!(own, judged);
    let sum: u64 = judged.values().filter_map(|entry| entry["size"].as_u64()).sum();
    assert_eq!(plan["totals"]["bytes"].as_u64(), Some(sum));
}

#[test]
fn packages_of_a_plan_are_those_of_dpkg() {
    if !need::all(MAKES) {
        return;
    }
    let plan: Value =
        serde_json::from_str(&told(&["plan", "--format", "json", "--root", &debian(), "--", "date"])).expect("JSON");
    let packages = plan["packages"].as_array().expect("packages");
    assert!(packages.iter().any(|package| package["name"] == "coreutils"), "{packages:?}");
    for package in packages {
        let format = "-f=${Version} ${source:Package} ${Architecture}";
        let name = package["name"].as_str().expect("a name");
        let database = format!("--admindir={}/var/lib/dpkg", debian());
        let output =
            Command::new("dpkg-query").args([&database, "-W", format, name]).output().expect("dpkg-query runs");
        let field = |key: &str| package[key].as_str().unwrap_or_default();
        let own = format!("{} {} {}", field("version"), field("source"), field("architecture"));
        // A package for several architectures has a line for each.
        assert!(text(&output.stdout).contains(&own), "{own}: {}", text(&output.stdout));
    }
    let date = plan["entries"].as_array().expect("entries").iter().find(|entry| entry["path"] == "/usr/bin/date");
    assert_eq!(date.expect("date")["package"], "coreutils");
}

#[test]
fn a_plan_follows_its_schema_and_is_the_same_each_time() {
    if !need::all(MAKES) {
        return;
    }
    let root = debian();
    let lines = told(&["plan", "--root", &root, "--", "date"]);
    assert!(lines.lines().any(|line| line.starts_with("-0755 0:0") && line.contains(" # it is the entry [entry]")));
    let dir = tempfile::tempdir().expect("a directory");
    let files = ["a", "b"].map(|name| dir.path().join(name));
    for file in &files {
        told(&["build", "--dry-run", "--plan-out", &file.display().to_string(), "--root", &root, "--", "date"]);
    }
    let plans = files.each_ref().map(|file| std::fs::read_to_string(file).expect("a plan"));
    assert_eq!(plans[0], plans[1]);
    let Some(bin) = super::sbom::judges() else { return };
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plan.schema.json");
    let judge = "import json, jsonschema, sys; s = json.load(open(sys.argv[1])); \
                 jsonschema.Draft202012Validator.check_schema(s); \
                 jsonschema.Draft202012Validator(s).validate(json.load(open(sys.argv[2])))";
    let plan = files[0].display().to_string();
    let judged = Command::new(bin.join("python")).args(["-c", judge, schema, &plan]).output().expect("python runs");
    assert!(judged.status.success(), "{}", text(&judged.stderr));
}

#[test]
fn an_image_above_the_budget_is_not_written() {
    if !need::all(MAKES) {
        return;
    }
    let root = debian();
    let dir = tempfile::tempdir().expect("a directory");
    let (out, plan) = (dir.path().join("out"), dir.path().join("plan.json"));
    let arguments = |budget| {
        let (out, plan) = (out.display().to_string(), plan.display().to_string());
        ["build", "-o", &out, "--plan-out", &plan, "--budget", budget, "--root", &root, "--", "date"].map(str::to_owned)
    };
    let refused = Command::new(env!("CARGO_BIN_EXE_slimroot")).args(arguments("1kB")).output().expect("slimroot runs");
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("error[over-budget]"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0, "something was written");
    let built = Command::new(env!("CARGO_BIN_EXE_slimroot")).args(arguments("1GB")).output().expect("slimroot runs");
    assert!(built.status.success() && plan.is_file() && out.is_dir(), "{}", text(&built.stderr));
}
