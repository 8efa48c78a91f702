//! The cases of the corpus behind a start script (`behind_a_script.py`): what a program brings as entry has to come, with
//! its findings, and the case's own check has to pass.
#![allow(unreachable_pub, reason = "support modules are compiled into each test on their own")]

#[path = "support/corpus.rs"]
mod cases;
#[path = "support/need.rs"]
mod need;

use std::path::Path;

use cases::{AS_DIRECTORY, corpus, is_there, judge};

/// The emulator of a foreign machine stands before the entry, and does not run scripts.
const FOREIGN: &str = "arm64-sqlite3";

#[test]
fn programs_of_the_corpus_need_the_same_behind_a_script() {
    if !is_there() {
        return;
    }
    let cases: Vec<&str> = AS_DIRECTORY.iter().copied().filter(|case| *case != FOREIGN).collect();
    let (is_ready, said) = corpus(&[&["prepare"], cases.as_slice()].concat());
    assert!(is_ready, "{said}");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behind_a_script.py");
    let (all_pass, said) = judge(&program, &cases);
    println!("{said}");
    assert!(all_pass && said.contains(&format!("{0}/{0} cases pass", cases.len())), "{said}");
}
