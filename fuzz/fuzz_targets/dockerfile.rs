//! A Dockerfile and the words of its instructions.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use slimroot::dockerfile::{Dockerfile, exec_or_shell, expand, pairs};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(file) = Dockerfile::parse(&text) {
        for stage in 0..file.stages.len() {
            for one in file.lineage(stage, &[]) {
                let _ = (pairs(&one.rest), exec_or_shell(&one.rest), expand(&one.rest, &BTreeMap::new()));
            }
        }
    }
});
