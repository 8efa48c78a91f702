//! Files taken away from packed programs of the corpus, one at a time: what a judge sees break, `verify` must name. The
//! judge is `tests/proof/programs.py`, which starts each program itself.

use std::path::PathBuf;

use crate::support::{corpus, need};

/// Programs that are quick and whose roots other tests prepare too.
const PROGRAMS: [&str; 3] = ["xz", "jq", "runpath-origin"];

#[test]
fn what_a_judge_sees_break_is_named() {
    if !need::all(&["python3", "unshare"]) || !corpus::is_there() {
        return;
    }
    for name in PROGRAMS {
        let (is_ready, said) = corpus::corpus(&["prepare", name]);
        assert!(is_ready, "{said}");
    }
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/proof/programs.py");
    let words: Vec<&str> = ["removals"].into_iter().chain(PROGRAMS).chain(["--seed", "1", "--count", "25"]).collect();
    let (is_content, said) = corpus::judge(&program, &words);
    assert!(is_content, "{said}");
    let needed: u64 =
        said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["needed"].as_u64()).sum();
    assert!(needed >= 6, "only {needed} of the files were needed: {said}");
}
