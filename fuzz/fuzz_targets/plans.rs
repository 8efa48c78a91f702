//! A plan or a lock that nobody may have written, compared with itself and with an empty one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::ledger::{Diff, Snapshot};

const EMPTY: &[u8] = br#"{"schema":"slimroot.plan.v1","image":{},"packages":[],"entries":[]}"#;

fuzz_target!(|text: &[u8]| {
    let Ok(read) = Snapshot::parse(&mut &*text, &"fuzz") else { return };
    let empty = Snapshot::parse(&mut &*EMPTY, &"empty").expect("a plan");
    let same = Diff::of(("a", &read), ("a", &read)).expect("no file is read");
    assert!(same.added.is_empty() && same.removed.is_empty() && same.changed.is_empty());
    assert!(same.packages.is_empty() && same.libraries.is_empty() && same.settings.is_empty());
    let all = Diff::of(("empty", &empty), ("a", &read)).expect("no file is read");
    assert_eq!(all.added.len(), read.entries.len());
    let mut limited = Diff::of(("a", &read), ("empty", &empty)).expect("no file is read");
    limited.limit(None, Some(0));
});
