//! The Python programs of `tests/samples`, each of which judges cases by name.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::corpus::judged;

fn run(script: &str, word: &str, env: &[(&str, &OsStr)]) -> Output {
    Command::new("python3")
        .arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(script))
        .arg(word)
        .env("SLIMROOT", judged())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(env.iter().copied())
        .output()
        .expect("python3 runs")
}

/// Fails unless the script passes the case.
pub fn judged_by(script: &str, case: &str, env: &[(&str, &OsStr)]) {
    let output = run(script, case, env);
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The cases of a script; none on a machine without Python.
pub fn cases(script: &str) -> Vec<String> {
    if Command::new("python3").arg("--version").output().is_err() {
        return Vec::new();
    }
    let output = run(script, "--list", &[]);
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
