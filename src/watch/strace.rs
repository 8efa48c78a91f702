//! Output of strace(1): `strace -f`, with or without `-y`, `-o` and times. Only calls with a path are used; a relative
//! path is used if the line shows the directory (`-y`) or the process has not changed it.

use std::collections::BTreeMap;

use super::trace::{Act, Process, Seen, Trace};

/// Reads the output line by line.
#[derive(Default)]
pub(super) struct Reader {
    programs: BTreeMap<i32, usize>,
    /// Calls whose lines were interrupted by another process, by process.
    unfinished: BTreeMap<i32, Vec<u8>>,
}

impl Reader {
    /// Adds the call in a line to a trace.
    pub(super) fn line(&mut self, line: &[u8], trace: &mut Trace) {
        let line = line.trim_ascii();
        let (pid, rest) = number(line);
        let Some(mut text) = call_of(rest).map(<[u8]>::to_vec) else { return };
        if let Some(begun) = text.strip_suffix(b" <unfinished ...>") {
            self.unfinished.insert(pid, begun.to_vec());
            return;
        }
        if let Some(rest) = resumed(&text) {
            let Some(begun) = self.unfinished.remove(&pid) else { return };
            text = [begun.as_slice(), rest].concat();
        }
        if self.call(pid, &text, trace).is_none() && is_of_a_path(&text) {
            trace.unread += 1;
        }
    }

    fn call(&mut self, pid: i32, text: &[u8], trace: &mut Trace) -> Option<()> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let name = &text[..open];
        let errno = result(text)?;
        if [&b"clone"[..], b"clone3", b"fork", b"vfork"].contains(&name) {
            let child = i32::try_from(returned(text)?).ok().filter(|child| *child > 0)?;
            let parent = self.program(pid, trace)?;
            let process = Process { pid: child, parent: Some(parent), ..trace.processes.get(parent)?.clone() };
            let started = trace.start(process)?;
            self.programs.entry(child).or_insert(started);
            return Some(());
        }
        let act = act_of(name, text)?;
        let path = path_of(text)?;
        if act == Act::Exec && errno == 0 {
            let parent = self.programs.get(&pid).copied();
            let arguments = arguments(text);
            let process = Process { pid, parent, program: path.clone(), arguments };
            let started = trace.start(process)?;
            self.programs.insert(pid, parent.unwrap_or(started));
            let process = self.program(pid, trace)?;
            trace.add(Seen { process, act, path, errno, call: "" });
            self.programs.insert(pid, started);
            return Some(());
        }
        let process = self.program(pid, trace)?;
        trace.add(Seen { process, act, path, errno, call: "" });
        Some(())
    }

    fn program(&mut self, pid: i32, trace: &mut Trace) -> Option<usize> {
        if let Some(known) = self.programs.get(&pid) {
            return Some(*known);
        }
        let started = trace.start(Process { pid, ..Process::default() })?;
        self.programs.insert(pid, started);
        Some(started)
    }
}

/// The number of the process at the start of a line: `123 `, or `[pid 123] `.
fn number(line: &[u8]) -> (i32, &[u8]) {
    let inside = line.strip_prefix(b"[pid").map(<[u8]>::trim_ascii_start);
    let start = inside.unwrap_or(line);
    let end = start.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(start.len());
    let pid = std::str::from_utf8(&start[..end]).ok().and_then(|digits| digits.parse().ok());
    match pid {
        Some(pid) => (pid, start[end..].trim_ascii_start().trim_prefix_byte(b']')),
        None => (0, line),
    }
}

/// Removes a mark at the start of a line.
trait TrimByte {
    fn trim_prefix_byte(&self, byte: u8) -> &[u8];
}

impl TrimByte for [u8] {
    fn trim_prefix_byte(&self, byte: u8) -> &[u8] {
        self.strip_prefix(&[byte]).unwrap_or(self).trim_ascii_start()
    }
}

/// The line from the name of the call, without timestamps.
fn call_of(rest: &[u8]) -> Option<&[u8]> {
    let at = rest.iter().position(|byte| byte.is_ascii_lowercase() || *byte == b'<')?;
    let is_time = |byte: &u8| byte.is_ascii_digit() || b":. +".contains(byte);
    rest[..at].iter().all(is_time).then_some(&rest[at..])
}

/// Returns the text after `<... openat resumed>`.
fn resumed(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"<... ")?;
    let end = memchr_of(inside, b" resumed>")?;
    Some(&inside[end + b" resumed>".len()..])
}

fn memchr_of(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part == word)
}

fn is_of_a_path(text: &[u8]) -> bool {
    let name = text.split(|byte| *byte == b'(').next().unwrap_or_default();
    act_of(name, text).is_some()
}

fn act_of(name: &[u8], text: &[u8]) -> Option<Act> {
    let has = |flag: &[u8]| memchr_of(text, flag).is_some();
    Some(match name {
        b"execve" | b"execveat" => Act::Exec,
        b"open" | b"openat" | b"openat2" if has(b"O_WRONLY") || has(b"O_RDWR") || has(b"O_CREAT") => Act::Write,
        b"open" | b"openat" | b"openat2" => Act::Open,
        b"creat" | b"mkdir" | b"mkdirat" => Act::Write,
        b"stat" | b"lstat" | b"stat64" | b"lstat64" | b"newfstatat" | b"fstatat64" | b"statx" | b"access"
        | b"faccessat" | b"faccessat2" | b"readlink" | b"readlinkat" | b"statfs" | b"chdir" => Act::Look,
        _ => return None,
    })
}

/// The text after the last ` = `.
fn outcome(text: &[u8]) -> Option<&[u8]> {
    let at = text.windows(3).rposition(|part| part == b" = ")?;
    Some(&text[at + 3..])
}

fn returned(text: &[u8]) -> Option<i64> {
    let word = outcome(text)?.split(|byte| !(byte.is_ascii_digit() || *byte == b'-')).next()?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// 0, or the number of the error.
fn result(text: &[u8]) -> Option<i32> {
    if returned(text)? >= 0 {
        return Some(0);
    }
    let name = outcome(text)?.split(|byte| *byte == b' ').nth(1)?;
    Some(match name {
        b"ENOENT" => libc::ENOENT,
        b"ENOTDIR" => libc::ENOTDIR,
        b"EACCES" => libc::EACCES,
        b"EPERM" => libc::EPERM,
        b"EROFS" => libc::EROFS,
        _ => libc::EINVAL,
    })
}

/// The path of a call: its first string, absolute or below the directory that `-y` shows.
fn path_of(text: &[u8]) -> Option<Vec<u8>> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let quote = text.iter().position(|byte| *byte == b'"')?;
    let (path, is_whole) = unquoted(&text[quote..])?;
    if !is_whole {
        return None;
    }
    if path.first() == Some(&b'/') {
        return Some(path);
    }
    let before = text.get(open + 1..quote)?;
    let from = before.iter().position(|byte| *byte == b'<')?;
    let to = before.iter().rposition(|byte| *byte == b'>')?;
    let base = before.get(from + 1..to).filter(|base| base.first() == Some(&b'/') && !path.is_empty())?;
    Some([base, b"/", &path].concat())
}

/// The arguments of execve, without the first.
fn arguments(text: &[u8]) -> Vec<Vec<u8>> {
    let Some(start) = memchr_of(text, b"[\"") else { return Vec::new() };
    let mut rest = &text[start + 1..];
    let mut found = Vec::new();
    while rest.first() == Some(&b'"') {
        let Some((word, _)) = unquoted(rest) else { break };
        found.push(word);
        let Some(next) = memchr_of(&rest[1..], b"\", \"").map(|at| at + 4) else { break };
        rest = &rest[next..];
    }
    found.into_iter().skip(1).collect()
}

/// A quoted string with C escapes, and true if it is complete: strace truncates long strings.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut found = Vec::new();
    loop {
        let (first, after) = rest.split_first()?;
        rest = after;
        match first {
            b'"' => return Some((found, !rest.starts_with(b"..."))),
            b'\\' => {
                let digits = rest.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                if digits > 0 {
                    let code = rest[..digits].iter().fold(0_u32, |sum, byte| sum * 8 + u32::from(byte - b'0'));
                    found.push(u8::try_from(code).ok()?);
                    rest = &rest[digits..];
                } else {
                    let (escaped, after) = rest.split_first()?;
                    found.push(match escaped {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        other => *other,
                    });
                    rest = after;
                }
            }
            other => found.push(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_strace_are_read() {
        let mut trace = Trace::default();
        let mut reader = Reader::default();
        for line in [
            &br#"10 execve("/bin/sh", ["sh", "-c", "true"], 0x7ffd /* 3 vars */) = 0"#[..],
            br#"10 openat(AT_FDCWD</work>, "a\303\244.txt", O_RDONLY) = 3</work/x>"#,
            br#"10 12:00:01.5 openat(AT_FDCWD, "/etc/none", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)"#,
            b"10 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 11",
            br#"[pid 11] access("/etc/one" <unfinished ...>"#,
            b"[pid 11] <... access resumed>, R_OK) = 0",
            br#"11 openat(AT_FDCWD, "relative", O_RDONLY) = 3"#,
            b"11 +++ exited with 0 +++",
        ] {
            reader.line(line, &mut trace);
        }
        let seen: Vec<(String, i32)> =
            trace.seen().map(|seen| (String::from_utf8_lossy(&seen.path).into_owned(), seen.errno)).collect();
        let expected = [("/bin/sh", 0), ("/etc/none", libc::ENOENT), ("/work/aä.txt", 0), ("/etc/one", 0)];
        assert_eq!(seen, expected.map(|(path, errno)| (path.to_owned(), errno)));
        assert_eq!(trace.processes[0].arguments, [b"-c".to_vec(), b"true".to_vec()]);
        assert_eq!(trace.unread, 1);
    }
}
