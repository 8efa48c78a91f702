//! Real programs in real builder roots: a part of the acceptance corpus, judged by the checks of the corpus. The corpus
//! is next to the checkout, or in `SLIMROOT_CORPUS`.
#![allow(unreachable_pub, reason = "support modules are compiled into each test on their own")]

#[path = "support/need.rs"]
mod need;

use std::path::PathBuf;
use std::process::Command;

/// Cases packed to a directory, which is then run.
const AS_DIRECTORY: &[&str] = &[
    "arm64-sqlite3",
    "c-locale",
    "c-nss",
    "curl",
    "date-tz",
    "dig",
    "dlopen-literal",
    "dlopen-note",
    "file-magic",
    "gawk-tz",
    "git-commit",
    "go-static",
    "gpgv",
    "graphviz",
    "iconv-sjis",
    "imagemagick",
    "jq",
    "ld-library-path",
    "ldso-conf",
    "lighttpd",
    "nginx",
    "node-exporter",
    "openssl-req",
    "perl-core",
    "php-cli",
    "postgres",
    "py-flask",
    "py-script",
    "redis",
    "ripgrep",
    "rsvg",
    "runpath-origin",
    "rust-http",
    "tcl",
    "tput",
    "unbound",
    "xz",
];
/// Cases packed to an archive; the image is run with its own configuration.
const AS_IMAGE: &[&str] = &["curl", "gawk-tz", "jq", "ld-library-path", "nginx", "postgres", "redis", "runpath-origin"];

fn corpus(args: &[&str]) -> (bool, String) {
    let place = std::env::var("SLIMROOT_CORPUS").map(PathBuf::from);
    let place = place.unwrap_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"));
    let script = place.join("corpus.py");
    let output = Command::new("python3")
        .arg(&script)
        .args(args)
        .env("SLIMROOT", env!("CARGO_BIN_EXE_slimroot"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn is_there() -> bool {
    let needs = ["python3", "podman", "runc", "mmdebstrap", "skopeo", "umoci", "qemu-aarch64-static", "openssl"];
    if !need::all(&needs) {
        return false;
    }
    let (is_there, said) = corpus(&["list"]);
    is_there || need::skip(&format!("the corpus: {said}"))
}

#[test]
fn programs_of_the_corpus_work_without_any_option() {
    if !is_there() {
        return;
    }
    for (tool, cases) in [("slimroot", AS_DIRECTORY), ("slimroot-oci", AS_IMAGE)] {
        let (is_ready, said) = corpus(&[&["prepare"], cases].concat());
        assert!(is_ready, "{said}");
        let (all_pass, said) = corpus(&[&["run", "--tool", tool], cases].concat());
        println!("{said}");
        assert!(all_pass && said.contains(&format!("{0}/{0}", cases.len())), "{said}");
    }
}
