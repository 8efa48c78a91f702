//! apk's database of installed packages, whose records are packed too.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot::profile::Profile;
use slimroot_fuzz::{pack, request, world};

static PROFILES: LazyLock<Vec<Profile>> =
    LazyLock::new(|| ["package-records", "licences"].map(|name| Profile::builtin(name).expect("a profile")).to_vec());

fuzz_target!(|bytes: &[u8]| {
    let mut tree = world();
    tree.file("/lib/apk/db/installed", 0o644, bytes)
        .file("/usr/share/prog/index", 0o644, "x")
        .dir("/var/lib/prog", 0o755);
    let packages = vec!["prog".to_owned(), "prog-data".to_owned()];
    pack(&tree, &Request { packages, profiles: PROFILES.clone(), ..request("/bin/prog") });
});
