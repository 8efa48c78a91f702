//! A library exists only for another machine.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-other-machine",
    scope: Scope::Loading,
    text: "The loader finds files with the right name, but they are built for another machine or word size, so it \
           skips them and finds nothing else. Files of another platform were mixed in, or a 32-bit program lacks its \
           32-bit libraries. Install the library for the program's architecture in the builder stage (on Debian: dpkg \
           --add-architecture, then NAME:ARCH).",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
