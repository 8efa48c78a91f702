//! A linker script in the place of a library.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "linker-script",
    scope: Scope::Loading,
    text: "The loader finds a text file for the linker (GROUP, INPUT) under the library's name, and the process ends \
           with \"invalid ELF header\". Such files belong to -dev packages and have the name without a version. The \
           program refers to that development name: link it again, against the library that the script names.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
