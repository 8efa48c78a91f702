//! Directories by the layout that packages of all distributions share (FHS 3.0, chapters 3 to 5).

use super::tables::system;
use crate::path::RootPath;

/// True for a shared library directory: /usr/lib, or an architecture-specific directory in it.
pub(crate) fn is_library_dir(dir: &RootPath) -> bool {
    let text = dir.as_bytes().strip_prefix(b"/usr").unwrap_or(dir.as_bytes());
    let mut parts = text.split(|b| *b == b'/').filter(|part| !part.is_empty());
    let is_lib = parts.next().is_some_and(|part| part == b"lib" || part == b"lib64" || part == b"lib32");
    // A multiarch directory has a name such as x86_64-linux-gnu.
    is_lib && parts.next().is_none_or(|part| memchr::memmem::find(part, b"-linux-").is_some()) && parts.next().is_none()
}

/// True for /etc/NAME and /usr/share/NAME if the package's name begins with NAME.
pub(crate) fn is_own_dir(dir: &RootPath, package: &str) -> bool {
    let is_there = dir.parent().is_some_and(|parent| matches!(parent.as_bytes(), b"/etc" | b"/usr/share"));
    is_there && package.as_bytes().starts_with(dir.name())
}

/// True if the path is in a directory named after the package, such as /usr/lib/NAME or /var/lib/NAME; one of the two
/// names must begin with the other. This excludes bindings for some language built from the same source, and hooks of
/// other programs.
pub(crate) fn is_named_after(path: &RootPath, package: &str) -> bool {
    path.ancestors().iter().chain([path]).any(|dir| {
        let beside = |parent: &RootPath| system().package_parents.contain(parent) || is_library_dir(parent);
        let (name, package) = (dir.name(), package.as_bytes());
        dir.parent().is_some_and(|parent| beside(&parent)) && (package.starts_with(name) || name.starts_with(package))
    })
}
