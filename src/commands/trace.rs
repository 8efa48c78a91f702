//! `slimroot trace`: runs a command and records what it looks up.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::cleanup;
use crate::error::{Error, no_thread};
use crate::pack::Watch;
use crate::watch::{self, Ended, Limits, Program, Start};

/// Interval at which requests to stop are checked.
const PACE: Duration = Duration::from_millis(20);
/// Maximum number of processes and threads at a time.
const MAX_PROCESSES: usize = 32_768;
/// PATH of a shell without one (execvp(3)).
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// Exit statuses of shells for commands that do not exist, or cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;
const SIGTERM: i32 = 15;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to write the trace. Without this option it goes to stderr when the command has ended.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The command to run on this machine, with its arguments. It is not isolated.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// A trace that is finished.
pub(crate) struct Traced {
    /// The exit status of the command, as a shell reports it.
    pub(crate) status: u8,
    /// The trace, if no file is given.
    pub(crate) text: Option<Vec<u8>>,
}

pub(crate) fn run(options: &Options, stop: &Watch<'_>) -> Result<Traced, Error> {
    // A signal ends the command; then the trace is written.
    cleanup::begin_placing();
    let program = program(&options.command)?;
    let nothing = || Ok(());
    let also = |_| Ok(());
    let start = Start {
        program: &program,
        namespaces: 0,
        stdio: None,
        own_session: false,
        beside: &also,
        prepare: &nothing,
        prepared: &also,
        finish: &nothing,
    };
    let limits = Limits { processes: MAX_PROCESSES, ..Limits::default() };
    let ended = std::thread::scope(|scope| {
        let (is_over, over) = std::sync::mpsc::channel::<()>();
        let (send, first) = std::sync::mpsc::channel();
        let (start, limits) = (&start, &limits);
        let tracer = std::thread::Builder::new().spawn_scoped(scope, move || {
            let _is_over = is_over;
            let began = |pid| {
                let _ = send.send(pid);
            };
            watch::watch(start, limits, &began)
        });
        let tracer = tracer.map_err(no_thread)?;
        let pid = first.recv().ok();
        let mut is_told = false;
        while over.recv_timeout(PACE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            if (stop.stop)() && !is_told {
                is_told = true;
                pid.into_iter().for_each(|pid| watch::kill(pid, SIGTERM));
            }
        }
        Ok(tracer.join())
    });
    let ended = ended?
        .map_err(|_| Error::new("internal", "the tracer has failed"))?
        .map_err(|error| cannot_watch(&options.command[0], error))?;
    let status = status(&ended);
    let mut text = Vec::new();
    watch::write(&ended.trace, &mut text).map_err(|error| Error::unwritable(&"the trace", error))?;
    match &options.output {
        Some(file) => place(file, &text).map(|()| Traced { status, text: None }),
        None => Ok(Traced { status, text: Some(text) }),
    }
}

fn cannot_watch(command: &OsStr, error: std::io::Error) -> Error {
    let says = format!("{} cannot be traced here", command.display());
    Error::new("cannot-watch", says).because(error)
}

fn status(ended: &Ended) -> u8 {
    match (&ended.failure, ended.status, ended.signal) {
        (Some(error), ..) if error.kind() == std::io::ErrorKind::NotFound => NOT_FOUND,
        (Some(_), ..) => NOT_EXECUTABLE,
        (None, Some(status), _) => u8::try_from(status).unwrap_or(u8::MAX),
        (None, None, signal) => u8::try_from(128 + signal.unwrap_or_default()).unwrap_or(u8::MAX),
    }
}

/// The command with this program's environment, looked up in PATH as execvp(3) does.
fn program(command: &[OsString]) -> Result<Program, Error> {
    let name = command.first().map(|name| name.as_bytes()).unwrap_or_default();
    let path = if name.contains(&b'/') {
        PathBuf::from(OsStr::from_bytes(name))
    } else {
        let dirs = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let found = std::env::split_paths(&dirs).map(|dir| dir.join(OsStr::from_bytes(name)));
        let is_program = |path: &PathBuf| {
            path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && !name.is_empty()
        };
        found.into_iter().find(is_program).ok_or_else(|| {
            Error::new("bad-argument", format!("{} is not in any directory of PATH", OsStr::from_bytes(name).display()))
        })?
    };
    let words: Vec<Vec<u8>> = command.iter().map(|word| word.clone().into_vec()).collect();
    let env: Vec<Vec<u8>> =
        std::env::vars_os().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat()).collect();
    Program::new(path.as_os_str().as_bytes(), &words, &env).map_err(|error| cannot_watch(&command[0], error))
}

/// Writes a file completely or not at all; writes directly to a device or a pipe.
fn place(file: &Path, text: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::unwritable(&file.display(), error);
    if file.metadata().is_ok_and(|meta| !meta.is_file()) {
        return std::fs::write(file, text).map_err(failed);
    }
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut temporary = tempfile::Builder::new().permissions(mode).tempfile_in(dir).map_err(failed)?;
    temporary.write_all(text).map_err(failed)?;
    temporary.persist(file).map(drop).map_err(|error| failed(error.error))
}
