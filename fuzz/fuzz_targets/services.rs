//! Services of the system: PAM's files, a unit of systemd that starts the entry, accounts, and /etc/nsswitch.conf.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot::profile::Profile;
use slimroot_fuzz::{pack, parts, request, world};

static PROFILES: LazyLock<Vec<Profile>> =
    LazyLock::new(|| ["pam", "nss", "base"].map(|name| Profile::builtin(name).expect("a profile")).to_vec());

fuzz_target!(|bytes: &[u8]| {
    let [pam, unit, accounts, names] = parts::<4>(bytes);
    let mut tree = world();
    tree.file("/etc/pam.d/prog", 0o644, pam)
        .file("/etc/pam.d/other", 0o644, pam)
        .file("/etc/pam.conf", 0o644, pam)
        .file("/usr/lib/security/pam_a.so", 0o644, include_bytes!("../world/liba.so").as_slice())
        .file("/etc/systemd/system/prog.service", 0o644, unit)
        .file("/etc/passwd", 0o644, accounts)
        .file("/etc/group", 0o644, accounts)
        .file("/etc/nsswitch.conf", 0o644, names);
    pack(&tree, &Request { profiles: PROFILES.clone(), ..request("/bin/prog") });
});
