//! A library is in a directory of ld.so.conf, but not in the cache.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-not-cached",
    scope: Scope::Loading,
    text: "The library is in a directory that /etc/ld.so.conf names, but /etc/ld.so.cache does not list it, and \
           glibc's loader reads only the cache. Usually the file was copied after the last run of ldconfig, or the \
           cache stayed behind in another stage. Run ldconfig in the builder stage after all files are in place.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
