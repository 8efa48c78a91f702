//! Build information of programs, compared with `go version -m`; and the section of cargo-auditable, added to a program
//! with objcopy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::need;

const MAIN: &str = "package main\nimport \"example.org/dep\"\nfunc main() { println(dep.X) }\n";

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn told(program: &Path) -> serde_json::Value {
    let said = run(Command::new(env!("CARGO_BIN_EXE_slimroot")).args(["deps", "--format", "json"]).arg(program));
    serde_json::from_str::<serde_json::Value>(&said).expect("JSON")["built"].clone()
}

#[test]
fn go_programs_say_what_go_reads_of_them() {
    if !need::all(&["go", "gcc"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, text).expect("written");
    };
    put("dep/go.mod", "module example.org/dep\ngo 1.18\n");
    put("dep/dep.go", "package dep\nconst X = 1\n");
    put("main.go", MAIN);
    put(
        "go.mod",
        "module example.org/prog\ngo 1.18\nrequire example.org/dep v0.0.0\nreplace example.org/dep => ./dep\n",
    );
    for (cgo, options) in [
        ("0", &[][..]),
        ("0", &["-ldflags=-s -w", "-tags=timetzdata,netgo"]),
        ("1", &["-buildmode=pie"]),
        ("1", &["-buildmode=pie", "-ldflags=-s -w -linkmode=external"]),
    ] {
        let program = dir.path().join("prog");
        let mut go = Command::new("go");
        go.current_dir(dir.path())
            .env("CGO_ENABLED", cgo)
            .env("GOFLAGS", "-mod=mod")
            .env("GOCACHE", "/tmp/slimroot-go");
        run(go.args(["build", "-o", "prog"]).args(options).arg("."));
        let said = run(Command::new("go").args(["version", "-m"]).arg(&program));
        let found = told(&program);
        let first = said.lines().next().expect("a line");
        assert!(first.ends_with(found["toolchain"].as_str().expect("a version")), "{first}: {found}");
        let (mut modules, mut settings) = (BTreeMap::new(), BTreeMap::new());
        for line in said.lines().skip(1) {
            let words: Vec<&str> = line.trim().split('\t').collect();
            match words[..] {
                ["mod" | "dep", path, version, ..] => drop(modules.insert(path, version)),
                ["build", setting] => drop(setting.split_once('=').map(|(name, value)| settings.insert(name, value))),
                _ => {}
            }
        }
        assert_eq!(modules.len(), 2);
        assert_eq!(found["modules"], serde_json::json!(modules), "{options:?}");
        assert_eq!(found["settings"]["CGO_ENABLED"], cgo);
        for name in ["-tags", "-buildmode"] {
            let stated = settings.get(name).map_or(serde_json::Value::Null, |value| serde_json::json!(value));
            assert_eq!(found["settings"][name], stated, "{name}");
        }
    }
}

#[test]
fn crates_that_a_program_lists_are_read() {
    if !need::all(&["objcopy", "python3"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (section, program) = (dir.path().join("section"), dir.path().join("prog"));
    let packed = "import json, sys, zlib; open(sys.argv[1], 'wb').write(zlib.compress(json.dumps({'packages': [\
                  {'name': 'openssl-probe', 'version': '0.1.5', 'source': 'registry'}, \
                  {'name': 'cc', 'version': '1.0.0', 'source': 'registry', 'kind': 'build'}]}).encode()))";
    run(Command::new("python3").args(["-c", packed]).arg(&section));
    let add = format!(".dep-v0={}", section.display());
    run(Command::new("objcopy").args(["--add-section", &add, "/bin/true"]).arg(&program));
    assert_eq!(told(&program)["modules"], serde_json::json!({"openssl-probe": "0.1.5"}));
    assert!(told(Path::new("/bin/true")).is_null());
}
