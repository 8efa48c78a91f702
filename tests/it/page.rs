//! Pages of images: python reads them as HTML, node lays out their maps, a browser opens them, and plans and `why` say what
//! must be in them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::need;
use crate::support::runs::{slimroot, text, told, world};

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// What python finds in a page, in which nothing may be wrong.
fn judged(page: &Path) -> Value {
    let output = Command::new("python3").arg(here("tests/page/judge.py")).arg(page).output().expect("python3 runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Bytes by path, from the columns of a page.
fn sizes(page: &Value) -> std::collections::BTreeMap<String, u64> {
    let (data, files) = (&page["data"], &page["data"]["files"]);
    (0..files["n"].as_array().expect("names").len())
        .map(|at| {
            let dir =
                data["dirs"][usize::try_from(files["d"][at].as_u64().expect("a number")).expect("small")].as_str();
            let dir = dir.expect("a directory").trim_end_matches('/');
            let name = files["n"][at].as_str().expect("a name");
            (format!("{dir}/{name}"), files["s"][at].as_u64().expect("a size"))
        })
        .collect()
}

const HOSTILE: &[&[u8]] = &[
    b"</script><script>alert(1)</script>",
    b"</noscript><img src=x onerror=alert(1)>",
    b"<!--<script>",
    b"\"><b onclick=alert(1)>",
    b"'&quot;&lt;&amp;",
    b"]]><![CDATA[",
    b"a\xe2\x80\xaegpj.exe",
    b"\xff\xfe\x1b[31m",
    b"line\nbreak\rand\ttab",
    b"\\u003c/script>",
    b"${alert(1)}`",
];

#[test]
fn no_name_becomes_markup() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("root");
    for (at, name) in HOSTILE.iter().enumerate() {
        // The name of a file, of a directory and of a link's target.
        let inside = root
            .join("d")
            .join(OsStr::from_bytes(&name.iter().map(|b| if *b == b'/' { b'_' } else { *b }).collect::<Vec<_>>()));
        fs::create_dir_all(&inside).expect("made");
        for part in name.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
            fs::write(inside.join(OsStr::from_bytes(part)), vec![b'x'; 10 + at]).expect("written");
        }
        std::os::unix::fs::symlink(OsStr::from_bytes(name), root.join(format!("link{at}"))).expect("linked");
    }
    let page = dir.path().join("page.html");
    told(&["report", &root.display().to_string(), "-o", &page.display().to_string()]);
    let found = judged(&page);
    let files: u64 = sizes(&found).values().sum();
    let expected: usize = HOSTILE
        .iter()
        .enumerate()
        .map(|(at, name)| (10 + at) * name.split(|b| *b == b'/').filter(|part| !part.is_empty()).count())
        .sum();
    assert_eq!(files, expected as u64);
    // The same page goes to stdout.
    assert_eq!(told(&["report", &root.display().to_string()]).into_bytes(), fs::read(&page).expect("a page"));
}

#[test]
fn a_page_of_a_build_has_what_plan_and_why_say() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = world();
    let (root, page) = (dir.path().join("root").display().to_string(), dir.path().join("page.html"));
    fs::create_dir_all(dir.path().join("root/srv/data")).expect("made");
    fs::write(dir.path().join("root/srv/data/left"), [b'x'; 1000]).expect("written");
    fs::write(dir.path().join("root/srv/data/taken"), [b'x'; 500]).expect("written");
    let plan = dir.path().join("plan.json");
    let (to, plan_text) = (page.display().to_string(), plan.display().to_string());
    let options = ["--root", &root, "--include", "/srv/data/taken"];
    let entry = ["--", "/bin/true"];
    told(&[&["build", "--dry-run", "--report", &to, "--plan-out", &plan_text][..], &options, &entry].concat());
    let found = judged(&page);
    let plan: Value = serde_json::from_slice(&fs::read(&plan).expect("a plan")).expect("JSON");
    let (pages, files) = (sizes(&found), &found["data"]["files"]);
    for entry in plan["entries"].as_array().expect("entries").iter().filter(|entry| entry["kind"] != "dir") {
        let (path, size) = (entry["path"].as_str().expect("a path"), entry["size"].as_u64().unwrap_or(0));
        assert_eq!(pages.get(path), Some(&size), "{path}");
    }
    // Each chain of the page is the one that `why` prints.
    let paths: Vec<&String> = pages.keys().collect();
    let at = |path: &str| {
        let is_there = |at: &usize| pages.len() > *at && full(&found, *at) == path;
        (0..pages.len()).find(is_there).expect("a row")
    };
    let mut chains = 0;
    for path in paths {
        let mut here = i64::try_from(at(path)).expect("small");
        let mut chain = Vec::new();
        while here >= 0 {
            let row = usize::try_from(here).expect("a row");
            let reason = files["r"][row].as_i64().expect("a number");
            if reason < 0 {
                break;
            }
            chain.insert(0, found["data"]["reasons"][usize::try_from(reason).expect("small")][0].clone());
            here = files["u"][row].as_i64().expect("a number");
        }
        let output = slimroot(
            &[&["why", "--format", "json", "--root", &root, "--include", "/srv/data/taken", path][..], &entry].concat(),
        );
        let why: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let steps = why["chains"].as_array().expect("chains").iter().find(|chain| chain["path"] == path.as_str());
        let Some(steps) = steps.filter(|_| !chain.is_empty()) else { continue };
        let expected: Vec<Value> =
            steps["reasons"].as_array().expect("steps").iter().map(|step| step["because"].clone()).collect();
        assert_eq!(chain, expected, "{path}");
        chains += 1;
    }
    assert!(chains >= 4, "only {chains} chains were compared");
    // What a file brings: the loader and the C library come with the entry, the included file does not.
    let (entry, whole): (usize, u64) = (at("/bin/true"), pages.values().sum());
    assert_eq!(files["t"][entry].as_u64(), Some(brought(&found, entry)));
    assert!(files["t"][entry].as_u64().expect("bytes") < whole - 499);
    let absent = &found["data"]["absent"]["rows"];
    assert!(
        absent
            .as_array()
            .expect("rows")
            .iter()
            .any(|row| row[0] == "/srv/data" && row[4] == 1000 && row[5] == "--include /srv/data"),
        "{absent}"
    );
    // The same again gives the same bytes.
    let before = fs::read(&page).expect("a page");
    told(&[&["build", "--dry-run", "--report", &to][..], &options, &["--", "/bin/true"]].concat());
    assert!(before == fs::read(&page).expect("a page"), "two pages of one image differ");
}

fn full(page: &Value, at: usize) -> String {
    let (data, files) = (&page["data"], &page["data"]["files"]);
    let dir = data["dirs"][usize::try_from(files["d"][at].as_u64().expect("a number")).expect("small")].as_str();
    format!("{}/{}", dir.expect("a directory").trim_end_matches('/'), files["n"][at].as_str().expect("a name"))
}

/// Bytes of all rows whose keepers lead to this one.
fn brought(page: &Value, of: usize) -> u64 {
    let files = &page["data"]["files"];
    let keeper = |at: usize| files["h"][at].as_u64().map(|keeper| usize::try_from(keeper).expect("small"));
    let is_below = |at: usize| std::iter::successors(Some(at), |at| keeper(*at)).any(|at| at == of);
    let count = files["n"].as_array().expect("names").len();
    (0..count).filter(|at| is_below(*at)).map(|at| files["s"][at].as_u64().expect("a size")).sum()
}

#[test]
fn a_build_of_several_layers_says_which_file_is_where() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = world();
    let (root, page) = (dir.path().join("root"), dir.path().join("page.html"));
    fs::create_dir_all(root.join("app")).expect("made");
    fs::write(root.join("app/data"), "x").expect("written");
    let (root, image, to) = (root.display().to_string(), dir.path().join("image"), page.display().to_string());
    let output = format!("oci:{}", image.display());
    let line = ["build", "--root", &root, "-o", &output, "--layers", "split", "--report", &to, "--include", "/app"];
    told(&[&line[..], &["--", "/bin/true"]].concat());
    // The image itself says which layer has the file; a page of it and the page of the build say the same.
    let built = judged(&page);
    told(&["report", &output, "-o", &to]);
    let finished = judged(&page);
    let layers = |page: &Value| -> std::collections::BTreeMap<String, u64> {
        let count = page["data"]["files"]["n"].as_array().expect("names").len();
        let layer = |at: usize| page["data"]["files"]["l"][at].as_u64().unwrap_or(0);
        let is_dir = |at: &usize| page["data"]["files"]["k"].as_str().is_some_and(|kinds| &kinds[*at..=*at] == "d");
        (0..count).filter(|at| !is_dir(at)).map(|at| (full(page, at), layer(at))).collect()
    };
    assert_eq!(layers(&built), layers(&finished));
    assert!(layers(&built).values().any(|layer| *layer > 0), "{built}");
}

#[test]
fn a_build_that_writes_no_image_shows_why() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = world();
    let (root, page) = (dir.path().join("root"), dir.path().join("page.html"));
    fs::remove_file(root.join("lib/x86_64-linux-gnu/libc.so.6")).expect("removed");
    let (root, to, image) = (root.display().to_string(), page.display().to_string(), dir.path().join("image"));
    let image_text = image.display().to_string();
    let output = slimroot(&["build", "--root", &root, "-o", &image_text, "--report", &to, "--", "/bin/true"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!image.exists());
    let shown = |page: &Path| judged(page)["shown"].to_string();
    assert!(shown(&page).contains("missing-library") && shown(&page).contains("libc.so.6"));
    // The pages of a check and of a comparison.
    let output = slimroot(&["check", "--root", &root, "--report", &to, "/bin/true"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&page).contains("missing-library"));
    let output = slimroot(&["check", "--root", &root, "--report", &to, "/bin/absent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&page).contains("entry-missing"));
}

#[test]
fn a_comparison_shows_both_sides() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for (side, files) in
        [("old", [("same", 10), ("grown", 20), ("gone", 30)]), ("new", [("same", 10), ("grown", 25), ("come", 40)])]
    {
        fs::create_dir(dir.path().join(side)).expect("made");
        for (name, size) in files {
            fs::write(dir.path().join(side).join(name), vec![b'x'; size]).expect("written");
        }
    }
    let page = dir.path().join("page.html");
    let side = |side: &str| dir.path().join(side).display().to_string();
    told(&["diff", &side("old"), &side("new"), "--report", &page.display().to_string()]);
    let found = judged(&page);
    let files = &found["data"]["files"];
    let names: Vec<&str> = files["n"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    assert_eq!(names, ["come", "gone", "grown", "same"]);
    assert_eq!(files["z"], "arcs");
    assert_eq!(
        (files["b"].to_string(), files["s"].to_string()),
        ("[0,30,20,10]".to_owned(), "[40,0,25,10]".to_owned())
    );
}

/// An image of two layers, the upper of which replaces one file of the lower and removes another.
const TWO_LAYERS: &str = r#"
import hashlib, io, json, sys, tarfile
def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, size in files:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(b"x" * size))
    return out.getvalue()
layers = [tar([("low", 10), ("both", 20), ("gone", 30)]), tar([("both", 21), (".wh.gone", 0), ("up", 40)])]
digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
history = [{"created_by": "COPY low"}, {"created_by": "ENV A=b", "empty_layer": True}, {"created_by": "RUN <b>up</b>"}]
config = {"architecture": "amd64", "os": "linux", "config": {}, "history": history,
          "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for digest in digests]}}
manifest = [{"Config": "config.json", "Layers": [digest + ".tar" for digest in digests], "RepoTags": ["a:1"]}]
with tarfile.open(sys.argv[1], "w") as archive:
    for name, data in [(digest + ".tar", layer) for digest, layer in zip(digests, layers)] + [
            ("config.json", json.dumps(config).encode()), ("manifest.json", json.dumps(manifest).encode())]:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
"#;

#[test]
fn layers_are_those_of_the_image() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (image, page) = (dir.path().join("image.tar"), dir.path().join("page.html"));
    let made = Command::new("python3").arg("-c").arg(TWO_LAYERS).arg(&image).status().expect("python3 runs");
    assert!(made.success());
    told(&["report", &format!("docker-archive:{}", image.display()), "-o", &page.display().to_string()]);
    let found = judged(&page);
    let files = &found["data"]["files"];
    assert_eq!(files["n"].to_string(), r#"["both","low","up"]"#);
    assert_eq!((files["s"].to_string(), files["l"].to_string()), ("[21,10,40]".to_owned(), "[1,0,1]".to_owned()));
    let shown = found["shown"].to_string();
    assert!(shown.contains("COPY low") && shown.contains("RUN <b>up</b>") && !shown.contains("ENV A=b"), "{shown}");
}

#[test]
fn ten_thousand_files_weigh_less_than_two_megabytes() {
    if !need::all(&["python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for folder in 0..250 {
        let folder = dir.path().join(format!("root/usr/lib/node_modules/package-{folder}/dist/esm/internal"));
        fs::create_dir_all(&folder).expect("made");
        for file in 0..40 {
            fs::write(folder.join(format!("some-module-with-a-name-{file}.js")), vec![b'x'; file * 7])
                .expect("written");
        }
    }
    let page = dir.path().join("page.html");
    told(&["report", &dir.path().join("root").display().to_string(), "-o", &page.display().to_string()]);
    let size = fs::metadata(&page).expect("a page").len();
    assert!(size < 2_000_000, "{size} bytes");
    let found = judged(&page);
    assert_eq!(sizes(&found).len(), 10_000);
    assert!(found["cells"].as_u64().expect("cells") >= 20_000, "the table without scripts has not all files");
    // With reasons, as a build has them: a column and a link for each file.
    let world = world();
    let (root, modules) = (world.path().join("root"), "usr/lib/node_modules");
    fs::create_dir_all(root.join("usr/lib")).expect("made");
    fs::rename(dir.path().join("root").join(modules), root.join(modules)).expect("moved");
    let (root, to, include) = (root.display().to_string(), page.display().to_string(), format!("/{modules}"));
    told(&["build", "--dry-run", "--root", &root, "--include", &include, "--report", &to, "--", "/bin/true"]);
    let size = fs::metadata(&page).expect("a page").len();
    // That of a Python application of this size has longer names and more reasons: an eighth more.
    assert!(size < 1_770_000, "{size} bytes");
    assert!(judged(&page)["cells"].as_u64().expect("cells") >= 30_000, "the table without scripts has no reasons");
}

#[test]
fn the_map_is_laid_out_right() {
    if !need::all(&["node"]) {
        return;
    }
    let output = Command::new("node").arg(here("tests/page/layout.js")).arg(here("src/page/layout.js")).output();
    let output = output.expect("node runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).trim().parse::<usize>().expect("a number") > 5000);
}
