//! slimroot, and the roots that it is run on.

#![allow(dead_code, unused_imports, reason = "each test takes the roots it needs")]

use std::process::{Command, Output};

#[path = "mmdebstrap.rs"]
mod mmdebstrap;

pub use mmdebstrap::{debian, debian_of, glibc_of, root, run};

/// Runs slimroot.
pub fn slimroot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slimroot")).args(args).output().expect("slimroot runs")
}
