//! Tests that take their cases from fixtures: each case is a test with its own name, `TABLE::CASE`, so one failure hides no
//! other, and `cargo test --test cases TABLE::CASE` runs one alone.

#[path = "../support/mod.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "shared with tests/it")]
mod support;

mod behind_a_script;
mod broken;
mod corpus;
mod hostile_table;
mod launchers;
mod layouts;
mod profiles;
mod samples;
mod shell_entries;
mod worlds;

use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use support::need;

/// Programs that the cases of a table need. They are looked for when the first case runs, and a skip is printed once.
struct Needs {
    programs: &'static [&'static str],
    are_there: OnceLock<bool>,
}

impl Needs {
    const fn new(programs: &'static [&'static str]) -> Self {
        Self { programs, are_there: OnceLock::new() }
    }

    fn are_met(&self) -> bool {
        *self.are_there.get_or_init(|| need::all(self.programs))
    }
}

/// A case that reports its failures as texts.
fn case(name: String, failures: impl FnOnce() -> Vec<String> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let failures = failures();
        if failures.is_empty() { Ok(()) } else { Err(Failed::from(failures.join("\n"))) }
    })
}

/// A test that asserts, as those of the usual harness do.
fn plain(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A turn for a case that takes the whole machine: containers and servers whose judges have time limits.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tables = [
        worlds::trials,
        broken::trials,
        hostile_table::trials,
        launchers::trials,
        profiles::trials,
        shell_entries::trials,
        corpus::trials,
        behind_a_script::trials,
        samples::trials,
        layouts::trials,
    ];
    libtest_mimic::run(&arguments, tables.into_iter().flat_map(|table| table()).collect()).exit_code()
}
