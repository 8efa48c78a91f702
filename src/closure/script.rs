//! Scripts as entries: the `#!` line as Linux reads it (fs/binfmt_script.c).

use crate::error::Error;
use crate::language::looks_up_interpreters;
use crate::path::show;

/// Number of bytes in which Linux looks for the `#!` line (`BINPRM_BUF_SIZE`).
pub(super) const HEAD: usize = 256;
/// Maximum number of nested script interpreters before Linux returns ELOOP.
pub(super) const MAX_CHAIN: usize = 5;

/// A `#!` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shebang {
    /// The interpreter's path.
    pub(super) interpreter: Vec<u8>,
    /// Its argument; there is at most one.
    pub(super) argument: Option<Vec<u8>>,
}

/// Parses the `#!` line in the first bytes of a file; `None` if there is none.
///
/// # Errors
/// `bad-shebang` for a line that no kernel accepts.
pub(super) fn parse_shebang(path: &[u8], head: &[u8]) -> Result<Option<Shebang>, Error> {
    let Some(after) = head.strip_prefix(b"#!") else { return Ok(None) };
    let bad = |why: &str, help: &str| Error::new("bad-shebang", format!("{} {why}", show(path))).help(help);
    let is_blank = |b: &u8| matches!(b, b' ' | b'\t');
    let line_end = after.iter().position(|b| *b == b'\n');
    let line = &after[..line_end.unwrap_or(after.len())];
    let start = line.iter().position(|b| !is_blank(b)).unwrap_or(line.len());
    let line = &line[start..];
    let name_end = line.iter().position(|b| is_blank(b) || *b == 0);
    let interpreter = &line[..name_end.unwrap_or(line.len())];
    if interpreter.is_empty() {
        return Err(bad("has nothing after its `#!`", "write the interpreter's path after `#!`"));
    }
    // Without an end, the name may be longer than the part that the kernel reads.
    if line_end.is_none() && name_end.is_none() && head.len() == HEAD {
        return Err(bad("names an interpreter that does not fit in the 256 bytes Linux reads", "use a shorter path"));
    }
    if interpreter.ends_with(b"\r") {
        let says = "has a carriage return at the end of its `#!` line, which the kernel reads as part of the interpreter's \
             name";
        return Err(Error::new("shebang-cr", format!("{} {says}", show(path)))
            .help(format!("sed -i 's/\\r$//' {}", show(path))));
    }
    let rest = name_end.map_or(&[][..], |end| &line[end..]);
    let rest = rest.split(|b| *b == 0).next().unwrap_or_default();
    let from = rest.iter().position(|b| !is_blank(b)).unwrap_or(rest.len());
    let to = rest.iter().rposition(|b| !is_blank(b)).map_or(from, |last| last + 1);
    let argument = (from < to).then(|| rest[from..to].to_vec());
    Ok(Some(Shebang { interpreter: interpreter.to_vec(), argument }))
}

/// The command that `env` looks up, if the interpreter is `env`. Without `-S`, the command is the single argument. With
/// it, the argument is split, and assignments and options are skipped.
pub(super) fn env_command(shebang: &Shebang) -> Option<Vec<u8>> {
    let name = shebang.interpreter.rsplit(|b| *b == b'/').next().unwrap_or_default();
    if !looks_up_interpreters(name) {
        return None;
    }
    let argument = shebang.argument.as_deref()?;
    let split = argument.strip_prefix(b"-S").or_else(|| argument.strip_prefix(b"--split-string="));
    let Some(words) = split else { return Some(argument.to_vec()) };
    words
        .split(|b| matches!(b, b' ' | b'\t'))
        .find(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'='))
        .map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Option<(String, Option<String>)>, &'static str> {
        let plain = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match parse_shebang(b"/x", &text[..text.len().min(HEAD)]) {
            Ok(found) => Ok(found.map(|line| (plain(line.interpreter), line.argument.map(plain)))),
            Err(error) => Err(error.code),
        }
    }

    #[test]
    fn lines_are_read_as_the_kernel_reads_them() {
        let line = |name: &str, argument: Option<&str>| Ok(Some((name.to_owned(), argument.map(str::to_owned))));
        assert_eq!(read(b"#!/bin/sh\n"), line("/bin/sh", None));
        assert_eq!(read(b"#! \t/bin/sh"), line("/bin/sh", None));
        assert_eq!(read(b"#!/usr/bin/env  a b \nx"), line("/usr/bin/env", Some("a b")));
        assert_eq!(read(b"echo"), Ok(None));
        assert_eq!(read(b"\xef\xbb\xbf#!/bin/sh\n"), Ok(None));
        assert_eq!(read(b"#!/bin/sh\r\n"), Err("shebang-cr"));
        for bad in [&b"#!\n"[..], b"#!  ", format!("#!/{}\n", "x".repeat(300)).as_bytes()] {
            assert_eq!(read(bad), Err("bad-shebang"), "{}", show(bad));
        }
        let long_argument = format!("#!/bin/sh {}\n", "x".repeat(300));
        assert_eq!(read(long_argument.as_bytes()), line("/bin/sh", Some(&"x".repeat(HEAD - 10))));
    }

    #[test]
    fn env_looks_up_one_word() {
        let command = |argument: &str| {
            let argument = Some(argument.as_bytes().to_vec());
            let shebang = Shebang { interpreter: b"/usr/bin/env".to_vec(), argument };
            env_command(&shebang).map(|word| String::from_utf8_lossy(&word).into_owned())
        };
        assert_eq!(command("python3").as_deref(), Some("python3"));
        assert_eq!(command("a b").as_deref(), Some("a b"));
        assert_eq!(command("-S A=1 -i python3 -u").as_deref(), Some("python3"));
    }
}
