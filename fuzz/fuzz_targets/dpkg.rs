//! dpkg's status, then after a line `%%` the list of the package of an entry.
#![no_main]

use libfuzzer_sys::fuzz_target;
use slimroot_fuzz::{pack, request, world};

const CUT: &[u8] = b"\n%%\n";

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.windows(CUT.len()).position(|part| part == CUT);
    let (status, list) = at.map_or((bytes, bytes), |at| (&bytes[..at], &bytes[at + CUT.len()..]));
    let owns = [b"/bin/prog\n", list].concat();
    let mut tree = world();
    tree.file("/var/lib/dpkg/status", 0o644, status)
        .file("/var/lib/dpkg/arch", 0o644, list)
        .file("/var/lib/dpkg/info/prog.list", 0o644, owns)
        .file("/var/lib/dpkg/info/prog-common.list", 0o644, list)
        .file("/usr/lib/prog/index", 0o644, "x")
        .dir("/var/lib/prog", 0o755);
    pack(&tree, &request("/bin/prog"));
});
