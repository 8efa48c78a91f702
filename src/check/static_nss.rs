//! A static program that loads glibc modules at run time.

use memchr::memmem;

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::root::RootGlob;

pub(super) const CHECK: Check = Check {
    code: "static-nss",
    scope: Scope::Image,
    text: "The program is statically linked with glibc and looks up users, hosts or character sets. glibc then still \
           opens modules and libc.so.6 at run time, and they must be of the same release that the program was linked \
           with (the linker warns of it: \"requires at runtime the shared libraries from the glibc version used for \
           linking\"). Without them, lookups fail silently. Link dynamically and let slimroot pack the libraries, or \
           link with musl, which has no such modules.",
    find,
};

/// A program that contains both strings includes glibc's lookup code, which loads modules.
const SIGNS: [&[u8]; 2] = [b"/etc/nsswitch.conf\0", b"libnss_%s.so"];
/// Programs above this size are not searched completely.
const MAX_PROGRAM: usize = 512 << 20;
const LIBC: [&str; 4] = ["/lib/*/libc.so.6", "/lib64/libc.so.6", "/usr/lib64/libc.so.6", "/usr/lib/libc.so.6"];

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for entry in &evidence.closure.entries {
        let read = evidence.objects.read(&entry.real)?;
        if !read.elf.as_ref().is_ok_and(|elf| elf.is_static_program()) {
            continue;
        }
        let bytes = evidence.root().read(&entry.real, MAX_PROGRAM)?;
        if !SIGNS.iter().all(|sign| memmem::find(&bytes, sign).is_some()) {
            continue;
        }
        let mut has_libc = false;
        for pattern in LIBC {
            has_libc |= !evidence.image.matching(&RootGlob::new(pattern)?)?.is_empty();
        }
        let (level, has) = if has_libc {
            (Level::Note, "the one in the image must be of the glibc release that the program was linked with")
        } else {
            (Level::Warning, "the image has none, so lookups beyond files and DNS fail")
        };
        let says = format!("{} is static and looks up names, for which glibc opens libc.so.6: {has}", entry.path);
        let finding = evidence.about(&CHECK, level, &entry.real, says);
        found
            .push(finding.help("link it dynamically, or with musl; for Go: CGO_ENABLED=0, or the tags netgo,osusergo"));
    }
    Ok(found)
}
