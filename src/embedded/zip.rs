//! Zip files: jars, wheels, eggs, and Python's zip applications, which have a `#!` line in front (PEP 441).

use std::io::{self, Read};

use super::{Embedded, MAX_ALL};
use crate::root::{Meta, Source};
use crate::zipped::{NotRead, Place, Zip};

/// Maximum size of a class, and of a compressed jar inside a jar, in bytes. Both are read into memory.
pub(super) const MAX_CLASS: u64 = 1 << 20;
const MAX_INNER: u64 = 96 << 20;

pub(super) fn read(source: &dyn Source) -> Option<Embedded> {
    let (mut found, mut left) = (Embedded::default(), MAX_ALL);
    members(Place::whole(source), "", &mut found, &mut left)?;
    Some(found)
}

/// A jar that was compressed in another one.
struct Unpacked {
    meta: Meta,
    bytes: Vec<u8>,
}

impl Source for Unpacked {
    fn meta(&self) -> Meta {
        self.meta
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)).unwrap_or_default();
        let length = buffer.len().min(rest.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// Adds the members of an archive, and of jars in it: Spring Boot's jars and web archives have their libraries inside.
fn members(place: Place<'_>, outer: &str, found: &mut Embedded, left: &mut u64) -> Option<()> {
    let meta = place.meta();
    let mut archive = match Zip::open(place) {
        Ok(archive) => archive,
        Err(NotRead::Damaged) => return None,
        Err(NotRead::TooLarge) => {
            found.cut.push(format!("{outer}… (more members than are read)"));
            return Some(());
        }
    };
    for index in 0..archive.count() {
        // A damaged member cannot be unpacked by the program either.
        let Some(member) = archive.member(index) else { continue };
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
            let (inner, place) = (format!("{name}!/"), member.place());
            if size > *left || place.is_none() && size > MAX_INNER {
                found.cut.push(name);
                continue;
            }
            *left -= size;
            if let Some(place) = place {
                members(place, &inner, found, left);
                continue;
            }
            let mut jar = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            if member.take(size).read_to_end(&mut jar).is_ok() {
                let meta = Meta { size: jar.len() as u64, ..meta };
                members(Place::whole(&Unpacked { meta, bytes: jar }), &inner, found, left);
            }
        } else if outer.is_empty() && size <= *left && found.constants.takes_settings(&name, size) {
            let mut text = String::new();
            if member.take(size).read_to_string(&mut text).is_ok() {
                *left = left.saturating_sub(size);
                found.constants.settings.push(text);
            }
        } else if may_be_an_object(&name) {
            let _ = found.add(&name, size, left, member);
        }
    }
    if archive.is_spent() {
        found.cut.push(format!("{outer}… (more bytes than are read)"));
    }
    Some(())
}

/// True for names of libraries and for names without a suffix: other members need not be decompressed.
fn may_be_an_object(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.") || name.ends_with(".node") || !name.contains('.')
}
