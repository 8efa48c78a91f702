//! What a test needs of the machine. Where it is not there the test says so, and fails if nothing may be skipped.

use std::process::{Command, Stdio};

/// Whether every one of these programs can be run, by root; under `SLIMROOT_TEST_REQUIRE=all` an absent one fails.
pub fn all(programs: &[&str]) -> bool {
    let is_there = |program: &&&str| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(program).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    };
    let mut absent: Vec<&str> = programs.iter().filter(is_there).copied().collect();
    if !rustix::process::geteuid().is_root() {
        absent.push("the rights of root");
    }
    if absent.is_empty() {
        return true;
    }
    let all = std::env::var("SLIMROOT_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!all, "this test needs {}", absent.join(", "));
    eprintln!("skipped: this test needs {}", absent.join(", "));
    false
}
