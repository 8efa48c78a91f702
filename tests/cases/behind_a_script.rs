//! The cases of the corpus as entries and behind a start script (`behind_a_script.py`): the case's own check has to pass in
//! both, and what a program brings as entry has to come behind the script, with its findings.

use std::path::Path;

use libtest_mimic::Trial;

use crate::support::corpus::{AS_DIRECTORY, corpus, is_there, judge};
use crate::{Group, plain, turn};

/// The emulator of a foreign machine stands before the entry, and does not run scripts. `corpus` has this case.
pub(crate) const FOREIGN: &str = "arm64-sqlite3";

pub(crate) fn trials() -> Vec<Trial> {
    let names = AS_DIRECTORY.iter().filter(|name| **name != FOREIGN);
    names.map(|name| plain(&format!("behind_a_script::{name}"), move || needs_the_same(name))).collect()
}

fn needs_the_same(name: &str) {
    if !is_there() {
        return;
    }
    let _turn = turn(Group::Corpus);
    let (is_ready, said) = corpus(&["prepare", name]);
    assert!(is_ready, "{said}");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behind_a_script.py");
    let (passes, said) = judge(&program, &[name]);
    assert!(passes && said.contains("1/1 cases pass"), "{said}");
}
