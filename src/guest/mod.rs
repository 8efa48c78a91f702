//! The guest: programs of the root that are run, and only because the user asked for what they make (`--pyc`, `--jlink`).
//!
//! Where the root is this machine's own `/` they run as any program does. Elsewhere they run behind a door that only they
//! go through (`enter.rs`): own mounts, of which none but the root is left, no network, no capabilities and no way to get
//! any, no open file of this process, the root as their `/` and not to be written to, a fresh directory for what must be
//! written (`scratch.rs`). What they make comes back over a pipe or in that directory, never through the root. What cannot
//! be run here is a [`Refused`] with its reason, never an error: callers go on without.

mod enter;
mod java;
mod process;
mod python;
mod scratch;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

pub use java::{Linked, Runtime, link};
pub use process::Ended;
pub use python::{Bytecode, Interpreter, Made};
pub use scratch::Scratch;

use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::Root;
use enter::Door;

/// PATH of programs that are run for what they make.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Directories that may stand in for `/tmp` in a root without one.
const SPARE: [&str; 3] = ["/tmp", "/var/tmp", "/mnt"];

/// Why a program of the root could not be run, or made nothing; one clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// What shall be run.
pub struct Job<'a> {
    /// The program, a path in the root.
    pub program: &'a RootPath,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: &'a RootPath,
    /// What it reads.
    pub input: Vec<u8>,
    /// A directory of this machine that it may write to, which it sees at [`Guest::scratch`].
    pub scratch: Option<&'a Path>,
    /// How long it may run.
    pub limit: Duration,
    /// How much of its output is taken; more is a refusal.
    pub max_output: usize,
    /// Whether it shall be ended now, asked again and again.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// A root whose programs can be run.
pub struct Guest {
    dir: PathBuf,
    is_here: bool,
    is_read_only: bool,
    /// Real directories of the root onto which something is mounted.
    proc: Option<RootPath>,
    dev: Option<RootPath>,
    tmp: Option<RootPath>,
}

impl Guest {
    /// The programs of a directory that is a root.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn of(dir: &Path, root: &Root) -> Result<Self, Error> {
        let unreadable = |error: std::io::Error| Error::unreadable(&dir.display(), error);
        let dir = dir.canonicalize().map_err(unreadable)?;
        let identity = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino()));
        let is_here = identity(&dir).map_err(unreadable)? == identity(Path::new("/")).map_err(unreadable)?;
        let flags = rustix::fs::statvfs(&dir).map_err(|errno| Error::unreadable(&dir.display(), errno))?.f_flag;
        let real = |path: &str| -> Result<Option<RootPath>, Error> {
            Ok(root.follow(path.as_bytes())?.dir().filter(|dir| !dir.is_root()).cloned())
        };
        let mut tmp = None;
        for place in SPARE {
            tmp = tmp.or(real(place)?);
        }
        let is_read_only = flags.contains(StatVfsMountFlags::RDONLY);
        Ok(Self { proc: real("/proc")?, dev: real("/dev")?, tmp, dir, is_here, is_read_only })
    }

    /// Where a program sees its scratch directory; `None` if the root has no place for one.
    pub fn scratch(&self, scratch: &Path) -> Option<String> {
        match &self.tmp {
            _ if self.is_here => scratch.to_str().map(str::to_owned),
            Some(tmp) => Some(show(tmp.as_bytes()).into_owned()),
            None => None,
        }
    }

    /// Runs a program to its end, or until it is ended.
    ///
    /// # Errors
    /// [`Refused`] if it cannot be run here, takes too long or says too much.
    pub fn run(&self, job: &Job<'_>) -> Result<Ended, Refused> {
        if self.is_here {
            return process::run(job, self.door(job, Way::Here)).map_err(|error| self.refused(job, &error));
        }
        match process::run(job, self.door(job, Way::Apart)) {
            // A build step may have the right to change its root, but not to make mounts. What is read-only anyway
            // needs none of them.
            Err(process::Failed::Start(Errno::PERM)) if self.is_read_only && job.scratch.is_none() => {
                process::run(job, self.door(job, Way::Inside)).map_err(|error| self.refused(job, &error))
            }
            ended => ended.map_err(|error| self.refused(job, &error)),
        }
    }

    fn refused(&self, job: &Job<'_>, failed: &process::Failed) -> Refused {
        let program = job.program;
        Refused(match failed {
            // execvp tries a shell with what the kernel does not know, and then complains of that.
            process::Failed::Start(Errno::NOEXEC | Errno::NOENT) => {
                format!("{program} is built for another machine, or what interprets it is not in the root")
            }
            process::Failed::Start(Errno::PERM | Errno::NOSYS | Errno::INVAL | Errno::NOSPC) if !self.is_here => {
                format!(
                    "programs of {} cannot be run here: this process may not make mounts of its own (run slimroot in the \
                 builder stage itself)",
                    self.dir.display()
                )
            }
            process::Failed::Start(errno) => {
                let error = std::io::Error::from(*errno);
                format!("{program} cannot be started: {error}")
            }
            process::Failed::Slow => format!("{program} did not end within {} s", job.limit.as_secs()),
            process::Failed::Loud => format!("{program} said more than {} MB", job.max_output / 1_000_000),
            process::Failed::Stopped => format!("{program} was interrupted"),
            process::Failed::Lost(error) => format!("{program} cannot be waited for: {error}"),
        })
    }

    fn place(&self, path: &RootPath) -> PathBuf {
        self.dir.join(std::ffi::OsStr::from_bytes(path.relative()))
    }

    fn door(&self, job: &Job<'_>, way: Way) -> Door {
        match way {
            Way::Here => Door::plain(job.cwd),
            Way::Inside => Door::chroot(&self.dir, job.cwd),
            Way::Apart => {
                let [proc, dev, tmp] =
                    [&self.proc, &self.dev, &self.tmp].map(|path| path.as_ref().map(|path| self.place(path)));
                Door::apart(&self.dir, job.cwd, &enter::Mounts { proc, dev, tmp, scratch: job.scratch })
            }
        }
    }
}

/// How a program gets into its root.
enum Way {
    /// The root is this machine's own.
    Here,
    /// By changing the root alone.
    Inside,
    /// With mounts of its own.
    Apart,
}
