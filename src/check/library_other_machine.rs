//! A library that is there for another machine only.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-other-machine",
    scope: Scope::Loading,
    text: "The loader comes to files of the wanted name, but they are built for another machine or word size, so it passes over \
           them and finds no other: an image for another platform was mixed in, or a 32-bit program lacks its 32-bit \
           libraries. Install the library for the program's architecture in the builder stage (on Debian: \
           dpkg --add-architecture, then NAME:ARCH).",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
