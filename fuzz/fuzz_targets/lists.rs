//! Lists that loaders split: /etc/ld.so.preload, musl's path file, LD_LIBRARY_PATH and LD_PRELOAD, with their tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot_fuzz::{pack, request, world};

fuzz_target!(|bytes: &[u8]| {
    let mut tree = world();
    tree.file("/etc/ld.so.preload", 0o644, bytes).file("/etc/ld-musl-x86_64.path", 0o644, bytes);
    tree.file("/bin/setuid", 0o4755, include_bytes!("../world/prog").as_slice());
    let text = String::from_utf8_lossy(bytes).into_owned();
    for entry in ["/bin/prog", "/bin/setuid", "/bin/musl"] {
        let mut request = request(entry);
        pack(&tree, &request);
        request.env.insert("LD_LIBRARY_PATH".to_owned(), text.clone());
        request.env.insert("LD_PRELOAD".to_owned(), text.clone());
        pack(&tree, &request);
    }
});
