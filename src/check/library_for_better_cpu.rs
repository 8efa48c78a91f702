//! A library exists only for a higher CPU level.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "library-for-better-cpu",
    scope: Scope::Loading,
    text: "The library exists only under glibc-hwcaps/LEVEL, which the loader searches on CPUs of that level. On other \
           CPUs the program does not start. Install the plain library too, or use --cpu LEVEL if all your machines \
           have such a CPU.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
