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

/// Groups of cases with containers and servers, whose judges have time limits. One case of each group runs at a time.
#[derive(Clone, Copy)]
enum Group {
    Corpus,
    Samples,
}

/// A turn for a case of a group.
fn turn(group: Group) -> MutexGuard<'static, ()> {
    static TURNS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
    TURNS[group as usize].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two lists as one in which both advance evenly, so that no thread waits for the turn of another.
fn interleaved(first: Vec<Trial>, second: Vec<Trial>) -> Vec<Trial> {
    let place = |length: usize| move |(at, trial)| ((2 * at + 1) * 1_000_000 / (2 * length), trial);
    let (firsts, seconds) = (place(first.len()), place(second.len()));
    let mut all: Vec<(usize, Trial)> =
        first.into_iter().enumerate().map(firsts).chain(second.into_iter().enumerate().map(seconds)).collect();
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, trial)| trial).collect()
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
    ];
    let slow = interleaved(
        [corpus::trials(), behind_a_script::trials()].into_iter().flatten().collect(),
        [samples::trials(), layouts::trials()].into_iter().flatten().collect(),
    );
    libtest_mimic::run(&arguments, tables.into_iter().flat_map(|table| table()).chain(slow).collect()).exit_code()
}
