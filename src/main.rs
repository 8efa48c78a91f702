//! The slimroot command.

use std::process::ExitCode;

fn main() -> ExitCode {
    slimroot::cli::main()
}
