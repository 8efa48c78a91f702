//! System calls that look up a path, and the filter that stops a process only at these (seccomp(2), SECCOMP_RET_TRACE).

use seccompiler::sock_filter;

use super::bpf::{self, ALLOW, JUMP_IF_EQUAL, JUMP_IF_SET, NONE, Numbers, TRACE, answer, code, load_argument};

/// The kind of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opens a file; the flags of open(2) are at the argument, or in memory there.
    Open(Flags),
    /// Looks up a file.
    Look,
    /// Executes a file; its arguments are at this argument.
    Exec(usize),
    /// Reads a directory that is open at argument 0.
    List,
    /// Connects to, or binds, a socket address.
    Connect,
    Bind,
    /// Creates, renames, links, removes or changes a file.
    Change,
    /// Enters a directory.
    Enter,
}

/// Position of the flags of open(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    /// creat(2) has none.
    Creates,
    Argument(usize),
    /// openat2(2) points to them.
    InMemory(usize),
}

/// A call that is traced.
pub(super) struct Call {
    pub(super) name: &'static str,
    numbers: Numbers,
    pub(super) kind: Kind,
    /// The argument with the path.
    pub(super) path: usize,
    /// The argument with the directory from which a relative path starts; `None` is the working directory.
    pub(super) from: Option<usize>,
    /// The argument that has AT_EMPTY_PATH if the call is about an open file instead of a path.
    empty_path: Option<u32>,
}

const fn at(name: &'static str, numbers: Numbers, kind: Kind) -> Call {
    Call { name, numbers, kind, path: 1, from: Some(0), empty_path: None }
}

const fn plain(name: &'static str, numbers: Numbers, kind: Kind) -> Call {
    Call { name, numbers, kind, path: 0, from: None, empty_path: None }
}

const fn with_flags(call: Call, empty_path: u32) -> Call {
    Call { empty_path: Some(empty_path), ..call }
}

/// A call that gives a file another name: the directory is argument 2, the name argument 3.
const fn new_name(name: &'static str, numbers: Numbers) -> Call {
    Call { path: 3, from: Some(2), ..at(name, numbers, Kind::Change) }
}

const AT_EMPTY_PATH: u32 = 0x1000;

/// Calls with their numbers on x86-64, i386, 64-bit ARM and RISC-V, and ARM (kernel, syscall tables). The most frequent
/// come first, because the filter compares in this order.
pub(super) const CALLS: &[Call] = &[
    at("openat", [257, 295, 56, 322], Kind::Open(Flags::Argument(2))),
    with_flags(at("newfstatat", [262, 300, 79, 327], Kind::Look), 3),
    plain("stat", [4, 106, NONE, 106], Kind::Look),
    plain("lstat", [6, 107, NONE, 107], Kind::Look),
    plain("access", [21, 33, NONE, 33], Kind::Look),
    plain("open", [2, 5, NONE, 5], Kind::Open(Flags::Argument(1))),
    plain("readlink", [89, 85, NONE, 85], Kind::Look),
    with_flags(at("statx", [332, 383, 291, 397], Kind::Look), 2),
    plain("stat64", [NONE, 195, NONE, 195], Kind::Look),
    plain("lstat64", [NONE, 196, NONE, 196], Kind::Look),
    at("faccessat", [269, 307, 48, 334], Kind::Look),
    at("faccessat2", [439; 4], Kind::Look),
    at("readlinkat", [267, 305, 78, 332], Kind::Look),
    at("openat2", [437; 4], Kind::Open(Flags::InMemory(2))),
    plain("creat", [85, 8, NONE, 8], Kind::Open(Flags::Creates)),
    plain("execve", [59, 11, 221, 11], Kind::Exec(1)),
    at("execveat", [322, 358, 281, 387], Kind::Exec(2)),
    plain("getdents64", [217, 220, 61, 217], Kind::List),
    plain("getdents", [78, 141, NONE, 141], Kind::List),
    plain("chdir", [80, 12, 49, 12], Kind::Enter),
    Call { path: 1, ..plain("connect", [42, 362, 203, 283], Kind::Connect) },
    Call { path: 1, ..plain("bind", [49, 361, 200, 282], Kind::Bind) },
    plain("mkdir", [83, 39, NONE, 39], Kind::Change),
    at("mkdirat", [258, 296, 34, 323], Kind::Change),
    plain("statfs", [137, 99, 43, 99], Kind::Look),
    plain("unlink", [87, 10, NONE, 10], Kind::Change),
    at("unlinkat", [263, 301, 35, 328], Kind::Change),
    plain("rmdir", [84, 40, NONE, 40], Kind::Change),
    // The new one of two names.
    Call { path: 1, ..plain("rename", [82, 38, NONE, 38], Kind::Change) },
    new_name("renameat", [264, 302, 38, 329]),
    new_name("renameat2", [316, 353, 276, 382]),
    Call { path: 1, ..plain("link", [86, 9, NONE, 9], Kind::Change) },
    new_name("linkat", [265, 303, 37, 330]),
    Call { path: 1, ..plain("symlink", [88, 83, NONE, 83], Kind::Change) },
    Call { path: 2, from: Some(1), ..at("symlinkat", [266, 304, 36, 331], Kind::Change) },
    plain("chmod", [90, 15, NONE, 15], Kind::Change),
    at("fchmodat", [268, 306, 53, 333], Kind::Change),
    plain("chown", [92, 212, NONE, 212], Kind::Change),
    plain("lchown", [94, 198, NONE, 198], Kind::Change),
    at("fchownat", [260, 298, 54, 325], Kind::Change),
    plain("truncate", [76, 92, 45, 92], Kind::Change),
    plain("mknod", [133, 14, NONE, 14], Kind::Change),
    at("mknodat", [259, 297, 33, 324], Kind::Change),
    with_flags(at("utimensat", [280, 320, 88, 348], Kind::Change), 3),
];

/// The filter; empty if there is none for this machine. Its data for the tracer is the index of the call in [`CALLS`].
pub(super) fn filter() -> Vec<sock_filter> {
    bpf::filter(|column| {
        let mut table = Vec::new();
        for (index, call) in CALLS.iter().enumerate() {
            let number = call.numbers[column];
            if number == NONE {
                continue;
            }
            let stop = answer(TRACE | u32::try_from(index).unwrap_or_default());
            match call.empty_path {
                None => table.extend([code(JUMP_IF_EQUAL, 0, 1, number), stop]),
                Some(flags) => table.extend([
                    code(JUMP_IF_EQUAL, 0, 4, number),
                    load_argument(flags),
                    code(JUMP_IF_SET, 0, 1, AT_EMPTY_PATH),
                    answer(ALLOW),
                    stop,
                ]),
            }
        }
        table.push(answer(ALLOW));
        table
    })
}
