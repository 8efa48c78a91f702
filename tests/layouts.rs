//! One application in the layouts of all Node package managers, and a .NET application started in several ways. Packed,
//! they must answer like in their builder roots: `tests/samples/layouts.py` and `tests/samples/dotnet.py`.
//! `SLIMROOT_LAYOUTS_ONLY` selects layouts.
#![allow(unreachable_pub, reason = "support modules are compiled into each test on their own")]

#[path = "support/need.rs"]
mod need;

use std::path::PathBuf;
use std::process::Command;

fn judged_by(script: &str) {
    let output = Command::new("python3")
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(script))
        .args(std::env::var("SLIMROOT_LAYOUTS_ONLY").unwrap_or_default().split_whitespace())
        .env("SLIMROOT", env!("CARGO_BIN_EXE_slimroot"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
}

#[test]
fn node_answers_however_its_packages_are_laid_out() {
    if need::all(&["python3", "runc", "mmdebstrap", "openssl", "unshare", "npm"]) {
        judged_by("layouts.py");
    }
}

#[test]
fn programs_of_dotnet_answer_however_they_are_started() {
    if need::all(&["python3", "runc", "mmdebstrap", "openssl", "unshare", "npm", "pip", "mcs", "al", "resgen"]) {
        judged_by("dotnet.py");
    }
}
