//! A linker script where a library is wanted.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "linker-script",
    scope: Scope::Loading,
    text: "The loader comes to a text file for the linker (GROUP, INPUT) under the wanted name, and the process dies with \"invalid ELF \
           header\". Such files belong to -dev packages and stand under the name without version. The program was linked with \
           a SONAME that is the development name: link it again, against the library that the script names.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
