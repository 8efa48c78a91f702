//! Zip files: jars, wheels, eggs, and Python's zip applications, which have a `#!` line in front (PEP 441).

use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

use super::{Content, Embedded, MAX_ALL};

/// Maximum number of members.
const MAX_MEMBERS: usize = 1 << 18;
/// Maximum size of a class, and of a jar inside a jar, in bytes. Both are read into memory.
const MAX_CLASS: u64 = 1 << 20;
const MAX_INNER: u64 = 256 << 20;

/// The record at the end, with its maximum length: a comment follows it (APPNOTE 4.3.16).
const END: &[u8] = b"PK\x05\x06";
const MAX_END: u64 = 22 + (64 << 10);

pub(super) fn read(content: &mut Content<'_>) -> Option<Embedded> {
    // Without a record, the library would search the whole file backwards.
    let mut tail = Vec::new();
    content.seek(SeekFrom::Start(content.size().saturating_sub(MAX_END))).ok()?;
    content.read_to_end(&mut tail).ok()?;
    memchr::memmem::rfind(&tail, END)?;
    let (mut found, mut left) = (Embedded::default(), MAX_ALL);
    members(BufReader::new(content), "", &mut found, &mut left)?;
    Some(found)
}

/// Adds the members of an archive, and of jars in it: Spring Boot's jars and web archives have their libraries inside.
fn members(content: impl Read + Seek, outer: &str, found: &mut Embedded, left: &mut u64) -> Option<()> {
    let mut archive = zip::ZipArchive::new(content).ok()?;
    if archive.len() > MAX_MEMBERS {
        found.cut.push(format!("{outer}… (more than {MAX_MEMBERS} members)"));
    }
    for index in 0..archive.len().min(MAX_MEMBERS) {
        // A damaged member cannot be unpacked by the program either.
        let Ok(member) = archive.by_index(index) else { continue };
        if !member.is_file() {
            continue;
        }
        let name = format!("{outer}{}", member.name());
        let size = member.size();
        if name.ends_with(".class") {
            if size > MAX_CLASS.min(*left) {
                found.cut.push(name);
                continue;
            }
            let mut class = Vec::new();
            if member.take(MAX_CLASS.min(*left)).read_to_end(&mut class).is_ok() && !found.constants.add(&class) {
                let says = format!("{outer}… (more names in its classes than are looked up)");
                if !found.cut.contains(&says) {
                    found.cut.push(says);
                }
            }
            *left = left.saturating_sub(size.max(class.len() as u64));
        } else if outer.is_empty() && name.ends_with(".jar") {
            if size > MAX_INNER.min(*left) {
                found.cut.push(name);
                continue;
            }
            let mut jar = Vec::new();
            let read = member.take(MAX_INNER.min(*left)).read_to_end(&mut jar);
            *left = left.saturating_sub(size.max(jar.len() as u64));
            if read.is_ok() {
                members(Cursor::new(jar), &format!("{name}!/"), found, left);
            }
        } else if may_be_an_object(&name) {
            let _ = found.add(&name, size, left, member);
        }
    }
    Some(())
}

/// True for names of libraries and for names without a suffix: other members need not be decompressed.
fn may_be_an_object(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.") || name.ends_with(".node") || !name.contains('.')
}
