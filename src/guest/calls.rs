//! System calls that are refused to guests: a seccomp(2) filter in classic BPF.
//!
//! No language runtime needs them, and most need a capability that a guest does not have. The filter keeps kernel bugs
//! in these calls out of reach. It is a deny list, because the programs come from any distribution, and future C
//! libraries may use calls that no allow list has today.
//!
//! One filter contains the tables of several machines, because an x86-64 kernel also runs i386 programs, whose call
//! numbers differ.

use rustix::thread::UnshareFlags;
use seccompiler::sock_filter;

use crate::watch::bpf::{self, ALLOW, FAIL, JUMP_IF_EQUAL, JUMP_IF_SET, NONE, Numbers, answer, code, load_argument};

/// Calls that fail with EPERM.
const REFUSED: &[(&str, Numbers)] = &[
    ("mount", [165, 21, 40, 21]),
    ("umount", [NONE, 22, NONE, NONE]),
    ("umount2", [166, 52, 39, 52]),
    ("pivot_root", [155, 217, 41, 218]),
    ("chroot", [161, 61, 51, 61]),
    ("open_tree", [428; 4]),
    ("move_mount", [429; 4]),
    ("fsopen", [430; 4]),
    ("fsconfig", [431; 4]),
    ("fsmount", [432; 4]),
    ("fspick", [433; 4]),
    ("mount_setattr", [442; 4]),
    ("open_tree_attr", [467; 4]),
    ("name_to_handle_at", [303, 341, 264, 370]),
    ("open_by_handle_at", [304, 342, 265, 371]),
    ("setns", [308, 346, 268, 375]),
    ("ptrace", [101, 26, 117, 26]),
    ("process_vm_readv", [310, 347, 270, 376]),
    ("process_vm_writev", [311, 348, 271, 377]),
    ("pidfd_getfd", [438; 4]),
    ("kcmp", [312, 349, 272, 378]),
    ("keyctl", [250, 288, 219, 311]),
    ("add_key", [248, 286, 217, 309]),
    ("request_key", [249, 287, 218, 310]),
    ("bpf", [321, 357, 280, 386]),
    ("perf_event_open", [298, 336, 241, 364]),
    ("userfaultfd", [323, 374, 282, 388]),
    ("fanotify_init", [300, 338, 262, 367]),
    ("kexec_load", [246, 283, 104, 347]),
    ("kexec_file_load", [320, NONE, 294, 401]),
    ("init_module", [175, 128, 105, 128]),
    ("finit_module", [313, 350, 273, 379]),
    ("delete_module", [176, 129, 106, 129]),
    ("reboot", [169, 88, 142, 88]),
    ("swapon", [167, 87, 224, 87]),
    ("swapoff", [168, 115, 225, 115]),
    ("quotactl", [179, 131, 60, 131]),
    ("quotactl_fd", [443; 4]),
    ("acct", [163, 51, 89, 51]),
    ("syslog", [103, 103, 116, 103]),
    ("iopl", [172, 110, NONE, NONE]),
    ("ioperm", [173, 101, NONE, NONE]),
    ("vm86", [NONE, 166, NONE, NONE]),
    ("vm86old", [NONE, 113, NONE, NONE]),
    ("lookup_dcookie", [212, 253, 18, 249]),
];
/// Calls that fail with EPERM if their first argument has a flag of a namespace.
const REFUSED_WITH_NAMESPACES: &[(&str, Numbers)] = &[("clone", [56, 120, 220, 120]), ("unshare", [272, 310, 97, 337])];
/// Calls that fail with ENOSYS, so that programs use an older call: the flags of clone3 are in memory, which filters
/// cannot read, and io_uring bypasses the filter.
const UNKNOWN: &[(&str, Numbers)] = &[
    ("clone3", [435; 4]),
    ("io_uring_setup", [425; 4]),
    ("io_uring_enter", [426; 4]),
    ("io_uring_register", [427; 4]),
];

const NAMESPACES: UnshareFlags = UnshareFlags::NEWNS
    .union(UnshareFlags::NEWCGROUP)
    .union(UnshareFlags::NEWUTS)
    .union(UnshareFlags::NEWIPC)
    .union(UnshareFlags::NEWUSER)
    .union(UnshareFlags::NEWPID)
    .union(UnshareFlags::NEWNET)
    .union(UnshareFlags::NEWTIME);

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The filter; empty if there is none for this machine.
pub(super) fn filter() -> Vec<sock_filter> {
    bpf::filter(|column| of_machine(column, &[]))
}

/// The filter for programs that run as in a container, whose engines allow these calls too.
pub(super) fn filter_for_containers() -> Vec<sock_filter> {
    bpf::filter(|column| of_machine(column, &["chroot", "syslog", "name_to_handle_at", "kcmp"]))
}

/// The part for one machine. Each row is two or four instructions, so that jumps stay short.
fn of_machine(column: usize, granted: &[&str]) -> Vec<sock_filter> {
    let numbers = |rows: &[(&str, Numbers)]| -> Vec<u32> {
        let rows = rows.iter().filter(|(name, _)| !granted.contains(name));
        rows.map(|(_, numbers)| numbers[column]).filter(|number| *number != NONE).collect()
    };
    let mut table = Vec::new();
    for (rows, errno) in [(REFUSED, EPERM), (UNKNOWN, ENOSYS)] {
        for number in numbers(rows) {
            table.extend([code(JUMP_IF_EQUAL, 0, 1, number), answer(FAIL | errno)]);
        }
    }
    for number in numbers(REFUSED_WITH_NAMESPACES) {
        table.extend([
            code(JUMP_IF_EQUAL, 0, 4, number),
            load_argument(0),
            code(JUMP_IF_SET, 0, 1, NAMESPACES.bits()),
            answer(FAIL | EPERM),
            answer(ALLOW),
        ]);
    }
    table.push(answer(ALLOW));
    table
}
