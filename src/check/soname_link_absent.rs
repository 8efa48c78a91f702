//! A library exists only under another file name.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "soname-link-absent",
    scope: Scope::Loading,
    text: "A file in the root has the needed SONAME, but no file has that name: the symlink that ldconfig creates \
           (libx.so.1 to libx.so.1.2.3) is missing. Loaders search by file name only. Run ldconfig in the builder \
           stage or create the symlink there.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};
