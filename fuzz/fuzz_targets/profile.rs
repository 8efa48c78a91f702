//! The text of a profile, read and then applied. `slimroot.toml` is read by the same two steps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot::profile::Profile;
use slimroot_fuzz::{pack, request, world};

fuzz_target!(|text: &str| {
    let Ok(profile) = Profile::parse(text, "fuzz") else { return };
    let mut tree = world();
    tree.file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n")
        .file("/usr/share/d/e/f/g", 0o644, "g")
        .link("/usr/share/d/loop", "../d")
        .file("/usr/share/d/secret.key", 0o600, "x");
    pack(&tree, &Request { profiles: vec![profile.clone()], ..request("/bin/prog") });
    pack(&tree, &Request { automatic: vec![profile.clone()], known: vec![profile], ..request("/bin/prog") });
});
