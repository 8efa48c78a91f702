//! What a test needs of the machine. Where it is not there the test says so, and fails if nothing may be skipped.

use std::process::{Command, Stdio};

/// Whether every one of these programs can be run, by root; under `SLIMROOT_TEST_REQUIRE=all` an absent one fails.
pub fn all(programs: &[&str]) -> bool {
    let is_absent = |program: &&&str| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(program).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    };
    let mut absent: Vec<&str> = programs.iter().filter(is_absent).copied().collect();
    if !rustix::process::geteuid().is_root() {
        absent.push("the rights of root");
    }
    absent.is_empty() || skip(&absent.join(", "))
}

/// Says that a test is skipped for want of something; fails it if nothing may be skipped. Always false.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must hear of a skip")]
pub fn skip(wants: &str) -> bool {
    let all = std::env::var("SLIMROOT_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!all, "this test needs {wants}");
    eprintln!("skipped: this test needs {wants}");
    false
}
