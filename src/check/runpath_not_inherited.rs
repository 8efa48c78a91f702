//! A library is only in the DT_RUNPATH of another object.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "runpath-not-inherited",
    scope: Scope::Loading,
    text: "Another object of the process has the library's directory in its DT_RUNPATH, but DT_RUNPATH applies only to \
           the direct dependencies of its own object (ld.so(8)); the older DT_RPATH is inherited. Give the object that \
           needs the library its own run path (patchelf --add-rpath), set LD_LIBRARY_PATH in the image (--env), or add \
           the directory to ld.so.conf and run ldconfig.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
