//! A library in a directory that another object's DT_RUNPATH names.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "runpath-not-inherited",
    scope: Scope::Loading,
    text: "An object of the process has the library's directory in its DT_RUNPATH, but a DT_RUNPATH serves only the direct needs of \
           the object that has it (ld.so(8)); the older DT_RPATH was inherited. Give the library that needs it a run path of \
           its own (patchelf --add-rpath), or set LD_LIBRARY_PATH in the image (--env), or have ldconfig list the \
           directory.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
