//! A library that is there for better CPUs only.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-for-better-cpu",
    scope: Scope::Loading,
    text: "The library lies only under glibc-hwcaps/LEVEL, which the loader looks into on CPUs of that level. On others the program \
           dies. Install the plain library too, or state with --cpu LEVEL that every machine has such a CPU.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
