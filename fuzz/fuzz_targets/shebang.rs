//! The `#!` line of a script, with a chain of scripts, an `env` and programs to lead to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot_fuzz::{pack, request, world};

fuzz_target!(|bytes: &[u8]| {
    let mut tree = world();
    tree.file("/bin/x", 0o755, bytes)
        .file("/bin/s", 0o755, "#!/bin/x -u\n")
        .link("/usr/bin/env", "../../bin/prog")
        .link("/bin/sh", "prog");
    pack(&tree, &request("/bin/s"));
});
