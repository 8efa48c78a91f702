//! Zip files: jars, wheels, eggs, and Python's zip applications, which have a `#!` line in front (PEP 441).

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::{Content, Embedded, MAX_ALL};

/// Maximum number of members.
const MAX_MEMBERS: usize = 1 << 18;

/// The record at the end, with its maximum length: a comment follows it (APPNOTE 4.3.16).
const END: &[u8] = b"PK\x05\x06";
const MAX_END: u64 = 22 + (64 << 10);

pub(super) fn read(content: &mut Content<'_>) -> Option<Embedded> {
    // The library would search a file without a record from its end to its start.
    let mut tail = Vec::new();
    content.seek(SeekFrom::Start(content.size().saturating_sub(MAX_END))).ok()?;
    content.read_to_end(&mut tail).ok()?;
    memchr::memmem::rfind(&tail, END)?;
    let mut archive = zip::ZipArchive::new(BufReader::new(content)).ok().filter(|found| found.len() <= MAX_MEMBERS)?;
    let (mut found, mut left) = (Embedded::default(), MAX_ALL);
    for index in 0..archive.len() {
        // A damaged member cannot be unpacked by the program either.
        let Ok(member) = archive.by_index(index) else { continue };
        let name = member.name().to_owned();
        if member.is_file() && may_be_an_object(&name) {
            let size = member.size();
            let _ = found.add(&name, size, &mut left, member);
        }
    }
    Some(found)
}

/// True for names of libraries and for names without a suffix: other members need not be decompressed.
fn may_be_an_object(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.") || name.ends_with(".node") || !name.contains('.')
}
