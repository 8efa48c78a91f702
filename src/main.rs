//! The slimroot command: parse, run, render, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    slimroot::cli::main()
}
