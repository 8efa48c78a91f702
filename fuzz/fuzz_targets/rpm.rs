//! rpm's database: of the kind that its first bytes say, or one header, which stands in an ndb file then.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use slimroot::closure::Request;
use slimroot::profile::Profile;
use slimroot_fuzz::{pack, request, world};

static PROFILES: LazyLock<Vec<Profile>> =
    LazyLock::new(|| ["package-records", "licences"].map(|name| Profile::builtin(name).expect("a profile")).to_vec());

const PAGE: usize = 4096;

/// An ndb file with one package.
fn ndb(header: &[u8]) -> Vec<u8> {
    let block = (PAGE / 16) as u32;
    let mut file = b"RpmP\0\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0Slot\x01\0\0\0".to_vec();
    file.extend_from_slice(&block.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    while file.len() < PAGE {
        file.extend_from_slice(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    file.extend_from_slice(b"BlbS\x01\0\0\0\0\0\0\0");
    file.extend_from_slice(&(header.len() as u32).to_le_bytes());
    file.extend_from_slice(header);
    file
}

fuzz_target!(|bytes: &[u8]| {
    let mut tree = world();
    tree.file("/usr/share/greet/text", 0o644, "x").file("/etc/greet.conf", 0o644, "x").dir("/var/lib/greet", 0o755);
    match bytes {
        [b'S', b'Q', ..] => tree.file("/var/lib/rpm/rpmdb.sqlite", 0o644, bytes),
        [7, 0x7f, ..] | [0x37, 0x7f, ..] => {
            let base = include_bytes!("../seeds/rpm/sqlite").as_slice();
            tree.file("/var/lib/rpm/rpmdb.sqlite", 0o644, base).file("/var/lib/rpm/rpmdb.sqlite-wal", 0o644, bytes)
        }
        [b'R', b'p', b'm', b'P', ..] => tree.file("/var/lib/rpm/Packages.db", 0o644, bytes),
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x61 | 0, ..] if bytes.len() > 26 && bytes[14..16] == [6, 0] => {
            tree.file("/var/lib/rpm/Packages", 0o644, bytes)
        }
        header => tree.file("/var/lib/rpm/Packages.db", 0o644, ndb(header)),
    };
    let request = Request {
        packages: vec!["greet".to_owned(), "greet-data".to_owned()],
        profiles: PROFILES.clone(),
        ..request("/bin/prog")
    };
    pack(&tree, &request);
});
