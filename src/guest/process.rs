//! Runs a guest process: writes its input, reads its output, and kills it with all of its children if necessary.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::Job;
use super::enter::{self, Sandbox};
use crate::path::show;

/// Interval at which the process is polled for its end.
const PACE: Duration = Duration::from_millis(10);
/// Time for which the pipes of an ended process are read: an escaped child may keep them open.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum size of standard error that is kept.
const MAX_COMPLAINT: usize = 64 << 10;

/// A process that has ended or was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub output: Vec<u8>,
    /// The last line of its standard error, safe to print.
    pub complaint: String,
}

/// Why there is no result.
pub(super) enum Failed {
    Start(Errno),
    Slow,
    Loud,
    Stopped,
    Lost(io::Error),
}

/// Runs a job in a sandbox.
pub(super) fn run(job: &Job<'_>, door: Sandbox) -> Result<Ended, Failed> {
    let mut child = start(job, door).map_err(Failed::Start)?;
    let talk = |child: &mut Child| -> io::Result<_> {
        let output = listen(child.stdout.take(), job.max_output, true)?;
        let complaint = listen(child.stderr.take(), MAX_COMPLAINT, false)?;
        if let Some(mut stdin) = child.stdin.take() {
            let input = job.input.clone();
            // The process may close the pipe without reading its input, which is harmless.
            Builder::new().spawn(move || drop(stdin.write_all(&input)))?;
        }
        Ok((output, complaint))
    };
    let (output, complaint) = match talk(&mut child) {
        Ok(both) => both,
        Err(error) => {
            end(&mut child);
            return Err(Failed::Lost(error));
        }
    };
    let begun = Instant::now();
    let verdict = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status.code()),
            Ok(None) if (job.stop)() => break Err(Failed::Stopped),
            Ok(None) if begun.elapsed() >= job.limit => break Err(Failed::Slow),
            Ok(None) => std::thread::sleep(PACE),
            Err(error) => break Err(Failed::Lost(error)),
        }
    };
    end(&mut child);
    let status = verdict?;
    let output = output.recv_timeout(PATIENCE).map_err(|_| Failed::Slow)?;
    let complaint = complaint.recv_timeout(PATIENCE).unwrap_or_default();
    if output.len() > job.max_output {
        return Err(Failed::Loud);
    }
    Ok(Ended { status, output, complaint: last_line(&complaint) })
}

/// Starts a process. A PID namespace applies to the children of the thread that created it, and such a thread can start
/// no other threads. So a dedicated thread starts the process.
fn start(job: &Job<'_>, door: Sandbox) -> Result<Child, Errno> {
    let mut command = Command::new(OsStr::from_bytes(job.program.as_bytes()));
    command.args(&job.args).env_clear().envs(&job.env).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    enter::keep_descriptors();
    let is_apart = door.has_own_processes;
    door.install(&mut command);
    let spawn = || -> Result<Child, Errno> {
        if is_apart {
            enter::own_processes()?;
        }
        let started = command.spawn();
        started.map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
    };
    std::thread::scope(|scope| {
        let started = Builder::new().spawn_scoped(scope, spawn).map_err(|_| Errno::AGAIN)?;
        started.join().unwrap_or(Err(Errno::IO))
    })
}

/// Kills a process with its process group; a PID namespace ends with it.
fn end(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id())
        && let Some(group) = Pid::from_raw(id)
    {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads a pipe to its end on a separate thread. Keeps the first bytes, up to one more than the limit, or the last
/// ones.
fn listen(
    mut pipe: Option<impl Read + Send + 'static>,
    limit: usize,
    is_first: bool,
) -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    Builder::new().spawn(move || {
        let mut kept: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while let Some(Ok(read @ 1..)) = pipe.as_mut().map(|pipe| pipe.read(&mut buffer)) {
            if !is_first || kept.len() <= limit {
                kept.extend_from_slice(&buffer[..read]);
            }
            if !is_first && kept.len() > limit {
                kept.drain(..kept.len() - limit);
            }
        }
        let _ = send.send(kept);
    })?;
    Ok(receive)
}

fn last_line(said: &[u8]) -> String {
    let mut lines = said.rsplit(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty()).map(|line| show(line).into_owned()).unwrap_or_default()
}
