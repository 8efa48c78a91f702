//! Redirects a call of a stopped process to another directory: the path stays in memory, and only registers change.
//! Their values are restored at the end of the call, because programs rely on them.

use super::calls::Call;
use super::kernel;

/// Positions in the kernel's list of registers (x86: sys/user.h; ARM: asm/ptrace.h): arguments, and the number of the call.
#[cfg(target_arch = "x86_64")]
const ARGUMENTS: [usize; 5] = [14, 13, 12, 7, 9];
#[cfg(target_arch = "x86_64")]
const COUNT: usize = 27;
#[cfg(target_arch = "aarch64")]
const ARGUMENTS: [usize; 5] = [0, 1, 2, 3, 4];
#[cfg(target_arch = "aarch64")]
const COUNT: usize = 34;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARGUMENTS: [usize; 5] = [0; 5];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const COUNT: usize = 0;

/// Saved register values.
pub(super) struct Saved([u64; 5]);

/// Calls without a directory argument (x86-64; ARM has none): the name, the number of the corresponding call with a
/// directory, and its last argument.
#[cfg(target_arch = "x86_64")]
const OLD: [(&str, u64, Option<u64>); 6] = [
    ("open", 257, None),
    ("stat", 262, Some(0)),
    ("lstat", 262, Some(0x100)),
    ("access", 269, None),
    ("readlink", 267, None),
    ("execve", 322, Some(0)),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [(&str, u64, Option<u64>); 0] = [];
#[cfg(target_arch = "x86_64")]
const NUMBER: usize = 15;
#[cfg(not(target_arch = "x86_64"))]
const NUMBER: usize = 0;

/// Makes a call that has just begun look up its path from an open directory instead of `/`. `None` if this call cannot
/// be redirected.
pub(super) fn redirect(pid: i32, call: &Call, slashes: u64, directory: i32) -> Option<Saved> {
    let mut words = vec![0; COUNT];
    kernel::registers(pid, true, &mut words).ok().filter(|()| COUNT > 0)?;
    let saved = Saved(ARGUMENTS.map(|at| words[at]));
    let directory = u64::from(directory.unsigned_abs());
    match call.from {
        Some(from) => {
            words[ARGUMENTS[from]] = directory;
            words[ARGUMENTS[call.path]] += slashes;
        }
        None => {
            let (_, number, last) = OLD.iter().find(|(name, ..)| *name == call.name)?;
            let arguments = saved.0;
            words[ARGUMENTS[0]] = directory;
            words[ARGUMENTS[1]] = arguments[0] + slashes;
            words[ARGUMENTS[2]] = arguments[1];
            words[ARGUMENTS[3]] = arguments[2];
            if let Some(last) = last {
                let at = if call.name == "execve" { 4 } else { 3 };
                words[ARGUMENTS[at]] = *last;
            }
            words[NUMBER] = *number;
        }
    }
    kernel::registers(pid, false, &mut words).ok()?;
    Some(saved)
}

/// Restores the registers after the call.
pub(super) fn restore(pid: i32, saved: &Saved) {
    let mut words = vec![0; COUNT];
    if COUNT == 0 || kernel::registers(pid, true, &mut words).is_err() {
        return;
    }
    for (number, (at, word)) in ARGUMENTS.iter().zip(saved.0).enumerate() {
        // On ARM, the first register contains the result.
        if number > 0 || cfg!(target_arch = "x86_64") {
            words[*at] = word;
        }
    }
    let _ = kernel::registers(pid, false, &mut words);
}
