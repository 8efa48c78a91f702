//! An ELF file: alone, with its symbols; then as a program, as a library, and as a loader.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot_fuzz::{pack, request, world};

fuzz_target!(|bytes: &[u8]| {
    match slimroot::elf::parse(bytes) {
        Ok(object) => {
            let _ = slimroot::elf::parse_imports(bytes, &object);
            let _ = slimroot::elf::parse_symbols(bytes, &object);
            let _ = slimroot::elf::parse_versions(bytes, &object);
            let _ = slimroot::seccomp::numbers_of(bytes);
            if let Some(stripped) = slimroot::elf::strip(bytes) {
                assert!(stripped.keep <= bytes.len() as u64 && stripped.size() < bytes.len() as u64);
            }
        }
        // Files that are refused take the same way in the world each time.
        Err(defect) if defect.class == "not-elf" => return,
        Err(_) => {}
    }
    let mut tree = world();
    tree.file("/bin/x", 0o755, bytes).file("/usr/lib/libfuzz.so", 0o644, bytes).file("/lib/fuzz-ld.so", 0o755, bytes);
    for entry in ["/bin/x", "/bin/host", "/bin/guest", "/usr/lib/libfuzz.so"] {
        pack(&tree, &request(entry));
    }
});
