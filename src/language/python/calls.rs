//! Programs and libraries that Python sources start or open by a literal name.

use crate::language::source::literals::{Literal, Named, literals};
use crate::path::RootPath;

/// Python functions that take a program or a shell command (modules `subprocess`, `os`, `shutil`, `asyncio`).
const PYTHON_STARTS: [&str; 17] = [
    "subprocess.run(",
    "subprocess.call(",
    "check_call(",
    "check_output(",
    "Popen(",
    "getoutput(",
    "getstatusoutput(",
    "os.system(",
    "os.popen(",
    "os.execl(",
    "os.execlp(",
    "os.execv(",
    "os.execvp(",
    "os.execvpe(",
    "shutil.which(",
    "create_subprocess_exec(",
    "create_subprocess_shell(",
];
/// Functions that open libraries (`ctypes`, cffi).
const OPENS: [&str; 5] = ["CDLL(", "LoadLibrary(", "ffi.dlopen(", "find_library(", "PyDLL("];
/// Development tools. Packages start these only while they are being developed or built.
const TOOLS: &[&str] = &[
    "gcc", "cc", "g++", "c++", "clang", "gfortran", "ld", "as", "ar", "nm", "make", "cmake", "ninja", "git", "hg",
    "svn", "bzr", "darcs", "cargo", "rustc", "npm", "node", "pip", "pip3", "python", "python3", "pytest", "apt",
    "apt-get", "dpkg", "rpm", "gdb", "patchelf", "swig", "man", "clear",
];

/// Scans a source file.
pub(super) fn scan(named: &mut Named, path: &RootPath, text: &[u8], is_app: bool) {
    for literal in PYTHON_STARTS.iter().flat_map(|name| literals(text, name)) {
        let program = literal.text.split(char::is_whitespace).next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        if is_app {
            named.keep_start(path, literal);
        } else if !TOOLS.contains(&program) {
            named.keep_package_start(path, literal);
        }
    }
    for name in OPENS {
        for literal in literals(text, name).filter(|literal| !literal.is_open) {
            let is_short = name == "find_library(";
            let library = if is_short { format!("lib{}.so", literal.text) } else { literal.text.clone() };
            let literal = Literal { text: library, ..literal };
            let is_wanted = is_app && !is_short && !literal.is_tried && literal.text.contains(".so");
            named.keep_library(path, literal, is_wanted);
        }
    }
}
