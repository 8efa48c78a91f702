//! The acceptance corpus, which lies beside the checkout or where `SLIMROOT_CORPUS` says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::need;

/// Packed to a directory, and the directory is run.
pub const AS_DIRECTORY: &[&str] = &[
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

fn place() -> PathBuf {
    let place = std::env::var("SLIMROOT_CORPUS").map(PathBuf::from);
    place.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"))
}

/// The slimroot that real programs judge: that of `SLIMROOT_TEST_BINARY`, or else that of this build, which takes three
/// times longer.
pub fn judged() -> String {
    std::env::var("SLIMROOT_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_slimroot").to_owned())
}

/// Runs a Python program that judges slimroot; says whether it is content.
pub fn judge(program: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("python3")
        .arg(program)
        .args(args)
        .env("SLIMROOT", judged())
        .env("SLIMROOT_CORPUS", place())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs the corpus' own program.
pub fn corpus(args: &[&str]) -> (bool, String) {
    judge(&place().join("corpus.py"), args)
}

/// True if the corpus and everything that it needs are there.
pub fn is_there() -> bool {
    const NEEDS: [&str; 8] =
        ["python3", "podman", "runc", "mmdebstrap", "skopeo", "umoci", "qemu-aarch64-static", "openssl"];
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    let look = || {
        need::all(&NEEDS) && {
            let (is_there, said) = corpus(&["list"]);
            is_there || need::skip(&format!("the corpus: {said}"))
        }
    };
    *IS_THERE.get_or_init(look)
}
