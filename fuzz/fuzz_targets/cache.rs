//! /etc/ld.so.cache: read in both byte orders and asked, then used by a loader and written anew by the plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot::loader::Cache;
use slimroot_fuzz::{pack, request, world};

fuzz_target!(|bytes: &[u8]| {
    for little in [true, false] {
        let Some(cache) = Cache::parse(bytes, little) else { continue };
        for name in [&b"liba.so"[..], b"libb.so.1", b"", b"libc.so.06"] {
            cache.lookup(name);
        }
        for entry in cache.entries.iter().take(16) {
            cache.lookup(entry.key.as_deref().unwrap_or_default());
        }
        let all: Vec<_> = cache.entries.iter().collect();
        let written = Cache::write(&all, little);
        let again = Cache::parse(&written, little).expect("what is written is read");
        assert_eq!(again.entries.len(), cache.entries.len());
    }
    let mut tree = world();
    tree.file("/etc/ld.so.cache", 0o644, bytes);
    pack(&tree, &request("/bin/prog"));
});
