//! A trace as a file: JSON lines. The first names the version; then follow the programs and the paths that each of them
//! used.

use std::io::{BufRead, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::strace;
use super::trace::{Act, Process, Seen, Trace};
use crate::error::Error;

/// The version of the format.
const SCHEMA: &str = "slimroot.trace.v1";
/// Maximum size of a trace that is read, and of one line.
const MAX_BYTES: u64 = 2 << 30;
const MAX_LINE: usize = 1 << 20;

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Head {
        schema: String,
        /// Number of records beyond the limits, which were dropped.
        #[serde(default)]
        lost: usize,
    },
    Process {
        /// Its index.
        process: usize,
        pid: i32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<usize>,
        program: Text,
        arguments: Vec<Text>,
    },
    Seen {
        by: usize,
        act: Act,
        path: Text,
        #[serde(default, skip_serializing_if = "is_zero")]
        errno: i32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        call: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Bytes: text if they are UTF-8, otherwise a list of numbers.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Bytes(bytes.to_vec()), |text| Self::Utf8(text.to_owned()))
    }
}

impl From<Text> for Vec<u8> {
    fn from(text: Text) -> Self {
        match text {
            Text::Utf8(text) => text.into_bytes(),
            Text::Bytes(bytes) => bytes,
        }
    }
}

/// Writes a trace.
///
/// # Errors
/// Those of the writer.
pub fn write(trace: &Trace, out: &mut dyn Write) -> std::io::Result<()> {
    let mut line = |line: Line| -> std::io::Result<()> {
        // Names come from untrusted programs; hidden characters stay escaped.
        let text = serde_json::to_string(&line)?;
        out.write_all(crate::text::json(&text).as_bytes())?;
        out.write_all(b"\n")
    };
    line(Line::Head { schema: SCHEMA.to_owned(), lost: trace.lost })?;
    for (process, one) in trace.processes.iter().enumerate() {
        let arguments = one.arguments.iter().map(|word| word.as_slice().into()).collect();
        let program = one.program.as_slice().into();
        line(Line::Process { process, pid: one.pid, parent: one.parent, program, arguments })?;
    }
    for seen in trace.seen() {
        let (path, call) = (seen.path.as_slice().into(), seen.call.to_owned());
        line(Line::Seen { by: seen.process, act: seen.act, path, errno: seen.errno, call })?;
    }
    Ok(())
}

/// Reads a trace that [`write()`] has written, or the output of `strace -f`.
///
/// # Errors
/// `bad-trace`.
pub fn read(file: &Path) -> Result<Trace, Error> {
    let bad = |says: String| {
        Error::new("bad-trace", format!("{}: {says}", file.display()))
            .help("slimroot trace -o FILE -- COMMAND writes a trace; the output of strace -f is read too")
    };
    let unreadable = |error: std::io::Error| bad("the file cannot be read".to_owned()).because(error);
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    if opened.metadata().map_err(unreadable)?.len() > MAX_BYTES {
        return Err(bad(format!("it has more than {} MiB", MAX_BYTES >> 20)));
    }
    let mut lines = std::io::BufReader::new(opened.take(MAX_BYTES));
    let (mut trace, mut foreign, mut number) = (Trace::default(), None, 0_usize);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(MAX_LINE as u64).read_until(b'\n', &mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        number += 1;
        if number == 1 && line.first() != Some(&b'{') {
            foreign = Some(strace::Reader::default());
        }
        match &mut foreign {
            Some(reader) => reader.line(&line, &mut trace),
            None => add(&mut trace, &line, number).map_err(|says| bad(format!("line {number}: {says}")))?,
        }
    }
    let is_empty = trace.processes.is_empty() && trace.seen().next().is_none();
    match foreign {
        _ if number == 0 => Err(bad("the file is empty".to_owned())),
        Some(_) if is_empty => Err(bad("it is neither a trace of slimroot nor output of strace".to_owned())),
        _ => Ok(trace),
    }
}

fn add(trace: &mut Trace, line: &[u8], number: usize) -> Result<(), String> {
    let parsed: Line = serde_json::from_slice(line).map_err(|error| format!("column {} is wrong", error.column()))?;
    match parsed {
        Line::Head { schema, lost } if number == 1 && schema == SCHEMA => trace.lost = lost,
        Line::Head { .. } => return Err(format!("this program reads {SCHEMA}")),
        _ if number == 1 => return Err(format!("the first line does not name {SCHEMA}")),
        Line::Process { process, pid, parent, program, arguments } => {
            if process != trace.processes.len() {
                return Err("a program is out of order".to_owned());
            }
            let arguments = arguments.into_iter().map(Into::into).collect();
            trace.start(Process { pid, parent, program: program.into(), arguments });
        }
        Line::Seen { by, act, path, errno, .. } => {
            let path: Vec<u8> = path.into();
            if by >= trace.processes.len() {
                return Err("it refers to an unknown program".to_owned());
            }
            trace.add(Seen { process: by, act, path, errno, call: "" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_it_was_written() {
        let mut trace = Trace::default();
        let program =
            Process { pid: 7, parent: None, program: b"/bin/a\xff".to_vec(), arguments: vec![b"-x".to_vec()] };
        trace.start(program);
        for (path, errno) in [(b"/a".to_vec(), 0), (b"/b\xff\n".to_vec(), 2)] {
            trace.add(Seen { process: 0, act: Act::Open, path, errno, call: "" });
        }
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("trace");
        let mut text = Vec::new();
        write(&trace, &mut text).expect("written");
        std::fs::write(&file, &text).expect("written");
        let again = read(&file).expect("a trace");
        assert_eq!(again.processes, trace.processes);
        assert!(again.seen().eq(trace.seen()));
        std::fs::write(&file, b"{\"schema\":\"slimroot.trace.v9\"}\n").expect("written");
        assert_eq!(read(&file).expect_err("another version").code, "bad-trace");
        std::fs::write(&file, b"hello\n").expect("written");
        assert_eq!(read(&file).expect_err("no trace").code, "bad-trace");
    }
}
