//! A library in a directory of ld.so.conf that the cache does not name.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-not-cached",
    scope: Scope::Loading,
    text: "The library lies in a directory that /etc/ld.so.conf names, but /etc/ld.so.cache does not list it, and glibc's loader \
           reads the cache only. Usual cause: the file was copied after ldconfig ran last, or the cache was left in another \
           stage. Run ldconfig in the builder stage, after everything is in its place.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
