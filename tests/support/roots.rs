//! slimroot, and the roots that it is run on.

use std::process::{Command, Output};

pub use super::mmdebstrap::{cache, debian, debian_of, glibc_of, root, run};

/// Runs slimroot.
pub fn slimroot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("slimroot runs")
}
