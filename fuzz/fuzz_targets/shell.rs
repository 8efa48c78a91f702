//! Shell scripts: the entry with a script that it sources, and the text of `sh -c`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot_fuzz::{interpreters, pack, parts, request};

fuzz_target!(|bytes: &[u8]| {
    let [script, other] = parts::<2>(bytes);
    let mut tree = interpreters();
    tree.file("/srv/app/run", 0o755, [b"#!/bin/sh\n", script].concat()).file("/srv/app/env.sh", 0o755, other).file(
        "/srv/app/main.py",
        0o644,
        "",
    );
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    pack(&tree, &Request { args: words(&["prog", "-x"]), ..request("/srv/app/run") });
    if let Ok(text) = std::str::from_utf8(script) {
        pack(&tree, &Request { args: words(&["-c", text, "sh", "prog"]), ..request("/bin/sh") });
    }
});
