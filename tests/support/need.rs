//! Requirements of tests. A test without them prints a message, and fails if no test may be skipped.

use std::process::{Command, Stdio};

/// True if all these programs are available and the user is root. With `SLIMROOT_TEST_REQUIRE=all` a missing one fails
/// the test.
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

/// Prints that a test is skipped because of a missing requirement; fails if no test may be skipped. Always false.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must hear of a skip")]
pub fn skip(wants: &str) -> bool {
    let all = std::env::var("SLIMROOT_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!all, "this test needs {wants}");
    eprintln!("skipped: this test needs {wants}");
    false
}
