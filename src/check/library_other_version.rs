//! Another version of a library exists.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-other-version",
    scope: Scope::Loading,
    text: "The root has the library under another SONAME (libssl.so.1.1 instead of libssl.so.3, or the reverse). The \
           number after .so changes when programs built for the old version no longer work, so a symlink under the \
           needed name only moves the crash. Build the program in this root, or install the version of the library \
           that the program was built for. The usual cause is copying a program between stages of different releases.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
