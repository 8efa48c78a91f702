//! Small applications in many languages, built into roots according to their Dockerfiles and packed without options.
//! `tests/samples/judge.py` sends the same requests to the image and to the builder root. The samples are next to the
//! checkout, or in `SLIMROOT_SAMPLES`; `SLIMROOT_SAMPLES_ONLY` selects samples.
#![allow(unreachable_pub, reason = "support modules are compiled into each test on their own")]

#[path = "support/need.rs"]
mod need;

use std::path::PathBuf;
use std::process::Command;

#[test]
fn applications_answer_as_they_do_in_their_builder_roots() {
    let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let samples = std::env::var("SLIMROOT_SAMPLES").map(PathBuf::from);
    let samples = samples.unwrap_or_else(|_| checkout.join("../shared/samples"));
    if !need::all(&["python3", "runc", "mmdebstrap", "openssl", "unshare", "npm", "rustc"]) {
        return;
    }
    if !samples.join("checks.json").exists() {
        need::skip("the samples");
        return;
    }
    let output = Command::new("python3")
        .arg(checkout.join("tests/samples/judge.py"))
        .args(std::env::var("SLIMROOT_SAMPLES_ONLY").unwrap_or_default().split_whitespace())
        .env("SLIMROOT", env!("CARGO_BIN_EXE_slimroot"))
        .env("SLIMROOT_SAMPLES", samples)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    println!("{said}");
    assert!(output.status.success(), "{said}");
}
