//! A library of which another version is there.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-other-version",
    scope: Scope::Loading,
    text: "The root holds the library under another SONAME (libssl.so.1.1 where libssl.so.3 is wanted, or the reverse). The number \
           after .so changes when programs built for the old one no longer work: a link under the wanted name only moves the \
           crash. Build the program in this root, or take the library's package of the release it was built for. The usual \
           cause is copying a program between stages of different releases.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
