//! Instructions of the kernel's classic BPF, in which filters for system calls are written (seccomp(2)).

use seccompiler::sock_filter;

/// Numbers of a system call by machine, in the order of [`MACHINES`]. Beyond 423 they are the same on all (kernel,
/// syscall tables).
pub(crate) type Numbers = [u32; 4];
/// Marks a call that the machine does not have.
pub(crate) const NONE: u32 = u32::MAX;
/// `AUDIT_ARCH_*` (linux/audit.h) of the machines of a table; 64-bit ARM and RISC-V share one.
pub(crate) const MACHINES: [&[u32]; 4] = [&[0xc000_003e], &[0x4000_0003], &[0xc000_00b7, 0xc000_00f3], &[0x4000_0028]];

/// Offsets in `struct seccomp_data` (linux/seccomp.h).
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;
const ARGUMENTS: u32 = 16;
/// Instructions (linux/bpf_common.h).
const LOAD: u16 = 0x20;
pub(crate) const JUMP_IF_EQUAL: u16 = 0x15;
pub(crate) const JUMP_IF_AT_LEAST: u16 = 0x35;
pub(crate) const JUMP_IF_SET: u16 = 0x45;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;
/// Return values (seccomp(2)).
pub(crate) const ALLOW: u32 = 0x7fff_0000;
pub(crate) const FAIL: u32 = 0x0005_0000;
/// Stops the process for its tracer; the low half is data for the tracer.
pub(crate) const TRACE: u32 = 0x7ff0_0000;
/// The bit that marks calls of the x32 ABI, whose machine is x86-64 too.
const X32: u32 = 0x4000_0000;
const ENOSYS: u32 = 38;

/// True if the tables contain the machine that slimroot is built for.
const IS_KNOWN: bool = cfg!(all(
    target_endian = "little",
    any(
        target_arch = "x86_64",
        target_arch = "x86",
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "riscv64"
    )
));

/// A filter with a part for each machine, because an x86-64 kernel also runs i386 programs, whose call numbers differ.
/// A part starts with the call number loaded and ends with a return value; `part` gets the index of its column in
/// [`Numbers`]. Empty if there is no table for this machine.
pub(crate) fn filter(part: impl Fn(usize) -> Vec<sock_filter>) -> Vec<sock_filter> {
    let mut program = Vec::new();
    if !IS_KNOWN {
        return program;
    }
    for (column, machines) in MACHINES.iter().enumerate() {
        let mut table = vec![code(LOAD, 0, 0, NUMBER)];
        if column == 0 {
            table.extend([code(JUMP_IF_AT_LEAST, 0, 1, X32), answer(FAIL | ENOSYS)]);
        }
        table.extend(part(column));
        program.push(code(LOAD, 0, 0, MACHINE));
        for (machine, left) in machines.iter().zip((1..=machines.len()).rev()) {
            // Jump to the table, past the other machines and the next jump.
            program.push(code(JUMP_IF_EQUAL, u8::try_from(left).unwrap_or_default(), 0, *machine));
        }
        program.push(code(JUMP, 0, 0, u32::try_from(table.len()).unwrap_or_default()));
        program.extend(table);
    }
    // All calls of a machine without a table fail.
    program.push(answer(FAIL | ENOSYS));
    program
}

/// Loads the low half of an argument, on little-endian machines.
pub(crate) fn load_argument(number: u32) -> sock_filter {
    code(LOAD, 0, 0, ARGUMENTS + 8 * number)
}

/// Ends the filter.
pub(crate) fn answer(answer: u32) -> sock_filter {
    code(RETURN, 0, 0, answer)
}

pub(crate) fn code(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}
