//! One process of the guest: fed, listened to, and ended in time with all that it started.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::Job;
use super::enter::{self, Door};
use crate::path::show;

/// How often it is looked whether a process has ended.
const PACE: Duration = Duration::from_millis(10);
/// How long pipes of an ended process are read on: something that escaped may hold them open.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of what a process complains is kept.
const MAX_COMPLAINT: usize = 64 << 10;

/// A process that has ended, or was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output.
    pub output: Vec<u8>,
    /// The last line that it wrote to standard error, safe to be shown.
    pub complaint: String,
}

/// Why there is no answer.
pub(super) enum Failed {
    Start(Errno),
    Slow,
    Loud,
    Stopped,
    Lost(std::io::Error),
}

/// Runs a job behind a door.
pub(super) fn run(job: &Job<'_>, door: Door) -> Result<Ended, Failed> {
    let mut child = start(job, door).map_err(Failed::Start)?;
    let output = listen(child.stdout.take(), job.max_output, true);
    let complaint = listen(child.stderr.take(), MAX_COMPLAINT, false);
    if let Some(mut stdin) = child.stdin.take() {
        let input = job.input.clone();
        // A process that does not read what it is told closes the pipe: no harm.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
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

/// Starts a process. In a namespace of their own are children of a thread that asked for it, which can have no other
/// thread after that: so it is one that does nothing else.
fn start(job: &Job<'_>, door: Door) -> Result<Child, Errno> {
    let mut command = Command::new(OsStr::from_bytes(job.program.as_bytes()));
    command.args(&job.args).env_clear().envs(&job.env).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    enter::keep_descriptors();
    let is_apart = door.has_own_processes;
    door.lead(&mut command);
    let spawn = || -> Result<Child, Errno> {
        if is_apart {
            enter::own_processes()?;
        }
        let started = command.spawn();
        started.map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
    };
    std::thread::scope(|scope| scope.spawn(spawn).join().unwrap_or(Err(Errno::IO)))
}

/// Ends a process with all of its group; in a namespace of its own all of that end with it.
fn end(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id())
        && let Some(group) = Pid::from_raw(id)
    {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads a pipe to its end on a thread of its own: the first bytes of it, one more than the limit at most, or the last.
fn listen(mut pipe: Option<impl Read + Send + 'static>, limit: usize, is_first: bool) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
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
    });
    receive
}

fn last_line(said: &[u8]) -> String {
    let mut lines = said.rsplit(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty()).map(|line| show(line).into_owned()).unwrap_or_default()
}
