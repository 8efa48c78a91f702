//! A library that is there under another file name only.

use super::missing_library::of_code;
use super::{Check, Scope};

pub(super) const CHECK: Check = Check {
    code: "soname-link-absent",
    scope: Scope::Loading,
    text: "A file in the root has the wanted SONAME, but no file has that name: the symbolic link that ldconfig makes (libx.so.1 to \
           libx.so.1.2.3) is absent. Loaders look for files by name and know no other. Run ldconfig in the builder stage or \
           make the link there.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
};
