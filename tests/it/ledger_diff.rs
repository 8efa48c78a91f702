//! Comparisons and locks of images: Python's filecmp and dpkg are the judges, and limits have their exit code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::runs::{slimroot, text, told};
use crate::support::{need, roots};

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&told(args)).expect("JSON")
}

/// Paths that differ between two directories, as Python finds them.
const JUDGE: &str = r#"
import filecmp, json, os, sys
def all(top):
    out = {}
    for dir, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(dir, name)
            out["/" + os.path.relpath(path, top)] = path
    return out
a, b = all(sys.argv[1]), all(sys.argv[2])
def same(x, y):
    s, t = os.lstat(x), os.lstat(y)
    if (s.st_mode, s.st_uid, s.st_gid) != (t.st_mode, t.st_uid, t.st_gid): return False
    if os.path.islink(x): return os.readlink(x) == os.readlink(y)
    return os.path.isdir(x) or filecmp.cmp(x, y, shallow=False)
print(json.dumps({"added": sorted(set(b) - set(a)), "removed": sorted(set(a) - set(b)),
    "changed": sorted(p for p in set(a) & set(b) if not same(a[p], b[p]))}))
"#;

fn paths(of: &Value) -> BTreeSet<String> {
    let row = |row: &Value| row.as_str().or_else(|| row["path"].as_str()).expect("a path").to_owned();
    of.as_array().expect("rows").iter().map(row).collect()
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn a_comparison_finds_what_python_finds_whatever_the_form() {
    if !need::all(&["mmdebstrap", "python3"]) {
        return;
    }
    let (root, dir) = (show(&roots::debian()), tempfile::tempdir().expect("a directory"));
    let at = |name: &str| show(&dir.path().join(name));
    let build = |name: &str, entry: &[&str]| {
        let (tree, oci, plan) = (at(name), format!("oci:{}:{name}", at("layout")), at(&format!("{name}.json")));
        let mut args =
            vec!["build", "--root", &root, "-o", &tree, "-o", &oci, "--plan-out", &plan, "--user", "0:0", "--"];
        args.extend(entry);
        told(&args);
    };
    build("small", &["/usr/bin/date"]);
    build("large", &["/usr/bin/curl"]);
    fs::write(dir.path().join("small/usr/bin/`|<b>@x"), "x").expect("written");
    let judged =
        Command::new("python3").args(["-c", JUDGE, &at("small"), &at("large")]).output().expect("python3 runs");
    let judged: Value = serde_json::from_slice(&judged.stdout).expect("JSON");
    let own = json(&["diff", "--format", "json", &at("small"), &at("large")]);
    for kind in ["added", "removed", "changed"] {
        assert_eq!(paths(&own[kind]), paths(&judged[kind]), "{kind}");
    }
    fs::remove_file(dir.path().join("small/usr/bin/`|<b>@x")).expect("removed");
    let of = |before: &str, after: &str| {
        let all = json(&["diff", "--format", "json", before, after]);
        ["added", "removed", "changed"].map(|kind| paths(&all[kind]))
    };
    let layout = |name: &str| format!("oci:{}:{name}", at("layout"));
    let trees = of(&at("small"), &at("large"));
    assert!(trees[0].contains("/usr/bin/curl") && trees[1].contains("/usr/bin/date"));
    assert_eq!(of(&layout("small"), &layout("large")), trees);
    assert_eq!(of(&at("small.json"), &layout("large")), trees);
    assert_eq!(of(&at("small.json"), &at("large.json")), trees);
    assert!(of(&at("small.json"), &at("small")).iter().all(BTreeSet::is_empty), "a plan is not what was written");
    assert!(told(&["diff", &at("small.json"), &at("small.json")]).contains("nothing differs"));
    // The image that is written says the same of packages and groups as its plan, although its records are partial.
    let own = told(&["diff", &at("small.json"), &layout("small")]);
    assert!(own.contains("nothing differs") && !own.contains("size by group"), "{own}");
    // Packages are those of the records.
    let all = json(&["diff", "--format", "json", &at("small.json"), &at("large.json")]);
    let packages: BTreeSet<&str> =
        all["packages"].as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    assert!(packages.contains("curl") && packages.contains("coreutils") && !packages.contains("libc6"), "{packages:?}");
    let libraries = all["libraries"].as_array().expect("rows");
    assert!(libraries.iter().any(|row| row["name"] == "libcurl.so.4" && row["before"].is_null()));
}

#[test]
fn limits_have_an_exit_code_and_markdown_shows_names_as_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    for (side, bytes) in [(&a, 1000), (&b, 1100)] {
        fs::create_dir(side).expect("made");
        fs::write(side.join("app"), vec![0; bytes]).expect("written");
    }
    fs::write(b.join("x`|<img src=y>@all\n::error::z"), "").expect("written");
    let (a, b) = (show(&a), show(&b));
    let code = |more: &[&str]| slimroot(&[&["diff", &a, &b], more].concat()).status.code();
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--fail-if-grows", "10%"]), Some(0));
    assert_eq!(code(&["--fail-if-grows", "9.99%"]), Some(5));
    assert_eq!(code(&["--fail-if-grows", "100B"]), Some(0));
    assert_eq!(code(&["--fail-if-grows", "99B"]), Some(5));
    assert_eq!(code(&["--budget", "1.1kB"]), Some(0));
    assert_eq!(code(&["--budget", "1099"]), Some(5));
    assert_eq!(code(&["--budget", "x"]), Some(2));
    let markdown = told(&["diff", "--format", "markdown", &a, &b]);
    assert!(!markdown.contains("\n::error"), "{markdown}");
    assert!(markdown.starts_with("**Image size: 1.0 kB") && markdown.contains("<details>"), "{markdown}");
}

#[test]
fn plans_that_nobody_wrote_are_refused_with_a_code() {
    let dir = tempfile::tempdir().expect("a directory");
    let plan = dir.path().join("plan.json");
    let entry = r#"{"path":"/a","kind":"file","mode":"0644","uid":0,"gid":0}"#;
    let package = r#"{"id":"a","manager":"deb","name":"a","version":"1","source":"a","architecture":"all"}"#;
    let of =
        |entries: &str| format!(r#"{{"schema":"slimroot.plan.v1","image":{{}},"packages":[],"entries":[{entries}]}}"#);
    let cases = [
        (of(&format!("{entry},{entry}")), "bad-ledger"),
        (of(&entry.replace("/a", "/../a")), "bad-ledger"),
        (of(&entry.replace("/a", "a")), "bad-ledger"),
        (of(&entry.replace("/a", "/a\\\\q")), "bad-ledger"),
        (of(&entry.replace("/a", "//a")), "bad-ledger"),
        (of(entry).replace("\"packages\":[]", &format!("\"packages\":[{package},{package}]")), "bad-ledger"),
        (of(entry).replace("v1", "v2"), "ledger-newer"),
        (of(entry)[..60].to_owned(), "bad-ledger"),
        (String::new(), "bad-ledger"),
        ("[".repeat(100_000), "bad-ledger"),
        (format!("{{\"schema\":\"slimroot.plan.v1\",{}", "\"x\":[".repeat(100_000)), "bad-ledger"),
    ];
    for (text_of, expected) in cases {
        fs::write(&plan, &text_of).expect("written");
        let output = slimroot(&["diff", &show(&plan), &show(&plan)]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains(&format!("error[{expected}]")) && told.contains("help"), "{told}");
    }
    // The same files are refused wherever a ledger is read.
    fs::write(&plan, of(entry).replace("v1", "v2")).expect("written");
    let root = crate::support::runs::world();
    let (from, out) = (show(&root.path().join("root")), show(&root.path().join("out")));
    for args in [
        &["outdated", &show(&plan), &from][..],
        &["build", "--root", &from, "-o", &out, "--locked", &show(&plan), "--", "/bin/true"],
    ] {
        let output = slimroot(args);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("error[ledger-newer]"), "{}", text(&output.stderr));
    }
    assert!(!Path::new(&out).exists(), "something was written");
    // Plans of two machines: the setting differs, and so do paths.
    let other = dir.path().join("other.json");
    let machine = |name: &str| of(entry).replace("\"image\":{}", &format!("\"image\":{{\"architecture\":\"{name}\"}}"));
    fs::write(&plan, machine("amd64")).expect("written");
    fs::write(&other, machine("arm64").replace("/a", "/b")).expect("written");
    let compared = json(&["diff", "--format", "json", &show(&plan), &show(&other)]);
    let change = &compared["settings"][0];
    assert_eq!(
        (&change["name"], &change["before"], &change["after"]),
        (&"architecture".into(), &"amd64".into(), &"arm64".into())
    );
    assert_eq!((paths(&compared["added"]).len(), paths(&compared["removed"]).len()), (1, 1));
    // Numbers at their ends.
    let large = entry.replace("\"gid\":0", "\"gid\":4294967295,\"size\":18446744073709551615");
    fs::write(&plan, of(&format!("{large},{}", large.replace("/a", "/b")))).expect("written");
    let output = slimroot(&["diff", &show(&plan), &show(&plan), "--fail-if-grows", "1%", "--budget", "1GB"]);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    fs::write(&plan, of(entry)).expect("written");
    assert!(told(&["diff", &show(&plan), &show(&plan)]).contains("nothing differs"));
    fs::File::create(&plan).and_then(|file| file.set_len(2 << 30)).expect("a hole");
    let output = slimroot(&["diff", &show(&plan), &show(&plan)]);
    assert!(text(&output.stderr).contains("error[bad-ledger]"), "{}", text(&output.stderr));
}

#[test]
fn a_lock_follows_the_application_only_if_asked() {
    let world = crate::support::runs::world();
    let at = |name: &str| show(&world.path().join(name));
    let app = world.path().join("root/srv/app");
    fs::create_dir_all(app.join("data")).expect("made");
    let build = |config: &str, more: [&str; 2]| {
        fs::write(at("slimroot.toml"), config).expect("written");
        let (root, out, config) = (at("root"), at("out"), at("slimroot.toml"));
        let args = ["build", "--config", &config, "--root", &root, "--force", "-o", &out, "--include", "/srv/app/**"];
        let output = slimroot(&[&args[..], &more, &["--", "/bin/true"]].concat());
        (output.status.code(), text(&output.stderr))
    };
    let lock = at("slimroot.lock");
    for (config, changed) in [
        ("", None),
        ("[lock]\ndigests = true\n", Some("/srv/app/code")),
        ("[lock]\ndigests = true\nchanging = ['/srv/app/data/**', '/srv/app/code']\n", None),
    ] {
        for path in ["code", "data/table"] {
            fs::write(app.join(path), "old").expect("written");
        }
        assert_eq!(build(config, ["--lock", &lock]).0, Some(0));
        assert_eq!(build(config, ["--locked", &lock]).0, Some(0));
        for path in ["code", "data/table"] {
            fs::write(app.join(path), "new").expect("written");
        }
        let (code, told) = build(config, ["--locked", &lock]);
        assert_eq!(code, Some(if changed.is_some() { 5 } else { 0 }), "{config}: {told}");
        assert!(changed.is_none_or(|path| told.contains(path)), "{told}");
    }
    // A pattern takes no file with set-id bits out of the lock.
    std::os::unix::fs::chown(app.join("code"), Some(0), Some(0)).expect("own");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(app.join("code"), fs::Permissions::from_mode(0o4755)).expect("set");
    let (code, told) = build("[lock]\nchanging = ['/srv/**']\n", ["--locked", &lock]);
    assert!(code == Some(5) && told.contains("/srv/app/code: (none) -> file 4755"), "{told}");
    assert_eq!(build("[lock]\nchanging = ['[']\n", ["--lock", &lock]).0, Some(2));
}

#[test]
fn a_lock_and_lists_hold_what_they_say() {
    if !need::all(&["mmdebstrap"]) {
        return;
    }
    let (root, dir) = (show(&roots::debian()), tempfile::tempdir().expect("a directory"));
    let at = |name: &str| show(&dir.path().join(name));
    let build = |more: &[&str], entry: &str| {
        let out = at("out");
        let args = [&["build", "--root", &root, "--force", "-o", &out], more, &["--", entry]].concat();
        let output = slimroot(&args);
        (output.status.code(), text(&output.stderr))
    };
    let lock = at("slimroot.lock");
    assert_eq!(build(&["--lock", &lock], "/usr/bin/date").0, Some(0));
    let first = fs::read(&lock).expect("a lock");
    assert_eq!(build(&["--locked", &lock, "--lock", &lock], "/usr/bin/date"), build(&[], "/usr/bin/date"));
    assert_eq!(fs::read(&lock).expect("a lock"), first);
    fs::remove_dir_all(at("out")).expect("removed");
    for (more, entry, named) in [
        (&["--user", "0:0"][..], "/usr/bin/date", "setting user: 65532:65532 -> 0:0"),
        (&["--expose", "80"], "/usr/bin/date", "setting ports: (none) -> 80/tcp"),
        (&[], "/usr/bin/curl", "package curl: (none) -> 7"),
        (&["--include", "/usr/bin/su"], "/usr/bin/date", "path /usr/bin/su: (none) -> file 4755 0:0"),
        (&["--owner-map", "0:0=7:7"], "/usr/bin/date", "path /usr/bin/date: file 0755 0:0"),
    ] {
        let (code, told) = build(&[&["--locked", &lock], more].concat(), entry);
        assert_eq!(code, Some(5), "{told}");
        assert!(told.contains("error[lock-differs]") && told.contains("differs from"), "{told}");
        assert!(told.contains(named) || told.contains("more"), "{named} is not in {told}");
        assert!(!Path::new(&at("out")).exists(), "something was written");
    }
    let config = at("slimroot.toml");
    let with = |lists: &str, entry: &str| {
        fs::write(&config, format!("[allow]\n{lists}\n")).expect("written");
        build(&["--config", &config], entry)
    };
    let (code, told) = with("sonames = ['libc.so.*', 'ld-linux*']", "/usr/bin/curl");
    assert_eq!(code, Some(5), "{told}");
    for line in
        ["the library libcurl.so.4 is not in allow.sonames", "/usr/bin/curl: it is the entry", "needs libcurl.so.4"]
    {
        assert!(told.contains(line), "{line} is not in {told}");
    }
    assert_eq!(with("packages = ['libc6']", "/usr/bin/date").0, Some(5));
    assert_eq!(with("packages = ['*']\nsonames = ['*']\npaths = ['/**']", "/usr/bin/curl").0, Some(0));
    // The list of docs/ledger.md: files that slimroot generates need not be in it, and others must.
    assert_eq!(with("paths = ['/app/**', '/etc/timezone']", "/usr/bin/date"), (Some(0), build(&[], "/usr/bin/date").1));
    let (code, told) = with("paths = ['/app/**']", "/usr/bin/date");
    assert!(code == Some(5) && told.contains("contains 1 items") && told.contains("/etc/timezone: profile"), "{told}");
    assert_eq!(with("libraries = []", "/usr/bin/date").0, Some(2));
}
