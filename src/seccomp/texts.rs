//! System calls that texts of languages make: Perl's and Ruby's `syscall`, and syscall(2) by a foreign function interface.

use std::collections::BTreeSet;

/// The word before the number.
const CALL: &[u8] = b"syscall";
/// Beginnings of the names of numbers (syscall(2), <sys/syscall.h>).
const NUMBERS: [&[u8]; 2] = [b"SYS_", b"__NR_"];

/// What a text calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Called<'t> {
    /// Names of system calls.
    pub(super) names: BTreeSet<&'t [u8]>,
    /// True if it calls one by another number.
    pub(super) any: bool,
}

/// The system calls in a text. `by_name` is true if it calls functions of C by their names.
pub(super) fn called(text: &[u8], by_name: bool) -> Called<'_> {
    let mut found = Called::default();
    for at in memchr::memmem::find_iter(text, CALL) {
        let before = at.checked_sub(1).map_or(b' ', |before| text[before]);
        let rest = &text[at + CALL.len()..];
        if by_name && matches!(before, b'.' | b'"' | b'\'') && !rest.first().is_some_and(|byte| is_word(*byte)) {
            found.any = true;
        }
        if is_word(before) {
            continue;
        }
        match argument(rest) {
            Some(Argument::Named(name)) => _ = found.names.insert(name),
            Some(Argument::Other) => found.any = true,
            None => {}
        }
    }
    found
}

enum Argument<'t> {
    Named(&'t [u8]),
    Other,
}

/// The first argument of a call; `None` if the text is no call, such as "syscall(2)" in a comment.
fn argument(rest: &[u8]) -> Option<Argument<'_>> {
    let open = rest.trim_ascii_start();
    let (open, is_call) = open.strip_prefix(b"(").map_or((open, false), |rest| (rest.trim_ascii_start(), true));
    let (word, is_function) = open.strip_prefix(b"&").map_or((open, false), |rest| (rest, true));
    let start = word.windows(2).take(64).position(|pair| pair == b"::").map_or(word, |at| &word[at + 2..]);
    let name = if is_function { start } else { word };
    let length = name.iter().position(|byte| !is_word(*byte)).unwrap_or(name.len());
    if let Some(number) = NUMBERS.iter().find_map(|prefix| name[..length].strip_prefix(*prefix)) {
        return (is_call || is_function).then_some(Argument::Named(number));
    }
    let value = word.strip_prefix(b"$").unwrap_or(word);
    let length = value.iter().position(|byte| !is_word(*byte)).unwrap_or(value.len());
    let next = value[length..].trim_ascii_start().first();
    (is_call && length > 0 && next == Some(&b',')).then_some(Argument::Other)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_or_said_to_be_unknown() {
        for (text, by_name, names, any) in [
            ("syscall(&main::SYS_gethostname, $host, 65)", false, &["gethostname"][..], false),
            ("syscall &SYS_mount, 1", false, &["mount"], false),
            ("syscall(SYS_sync);", false, &["sync"], false),
            ("syscall($number, 0)", false, &[], true),
            ("x = syscall 39, 0; y = syscall(39, 0)", false, &[], true),
            ("# see syscall(2), and the open() syscall (or not)", true, &[], false),
            ("libc.syscall(318, buffer)", true, &[], true),
            ("getattr(libc, 'syscall')", true, &[], true),
            ("my %ops = ('syscall', 'ioctl')", false, &[], false),
            ("import syscalls; mysyscall(1, 2)", true, &[], false),
        ] {
            let found = called(text.as_bytes(), by_name);
            let expected = names.iter().map(|name| name.as_bytes()).collect();
            assert_eq!((found.names, found.any), (expected, any), "{text}");
        }
    }
}
