//! The guest: programs of the root that slimroot runs, and only if the user requests it: for their output (`--pyc`,
//! `--jlink`), or as a trial of a packed root (`trial.rs`).
//!
//! If the root is the host's own `/`, they run normally. Otherwise they run in a sandbox (`enter.rs`): with a mount
//! namespace that contains only the root, no network, no capabilities and no way to gain any, no system calls that only
//! administrators use (`calls.rs`), no open files of this process, the root as a read-only `/`, and a fresh directory
//! for writing (`scratch.rs`). Their output comes back through a pipe or in that directory, never through the root. If
//! a program cannot be run here, the result is [`Refused`] with a reason, never an error: callers continue without its
//! output.

mod calls;
mod enter;
mod fallback;
mod java;
mod process;
mod python;
mod scratch;
mod trial;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

pub(crate) use fallback::has_fence;
pub use java::{Linked, Runtime, link};
pub use process::Ended;
pub use python::{Bytecode, Interpreter, Made};
pub use scratch::Scratch;
pub(crate) use trial::connect;
pub use trial::{Begun, Isolation, Trial};

use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::Root;
use enter::Sandbox;

/// PATH of guest programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Directories that may be used as `/tmp` if the root has none.
const SPARE: [&str; 3] = ["/tmp", "/var/tmp", "/mnt"];

/// The reason why a program of the root could not be run or gave no result; one clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// A program to run.
pub struct Job<'a> {
    /// The program, as a path in the root.
    pub program: &'a RootPath,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its complete environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: &'a RootPath,
    /// Its standard input.
    pub input: Vec<u8>,
    /// A host directory that it may write to, visible to it at [`Guest::scratch`].
    pub scratch: Option<&'a Path>,
    /// Maximum run time.
    pub limit: Duration,
    /// Maximum size of its output; more is refused.
    pub max_output: usize,
    /// Polled regularly; true stops the program.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// A root whose programs can be run.
pub struct Guest {
    dir: PathBuf,
    is_here: bool,
    is_read_only: bool,
    /// Real directories of the root that serve as mount points.
    proc: Option<RootPath>,
    dev: Option<RootPath>,
    tmp: Option<RootPath>,
}

impl Guest {
    /// The programs of a root directory.
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

    /// The path at which a program sees its scratch directory; `None` if the root has no place for it.
    pub fn scratch(&self, scratch: &Path) -> Option<String> {
        match &self.tmp {
            _ if self.is_here => scratch.to_str().map(str::to_owned),
            Some(tmp) => Some(show(tmp.as_bytes()).into_owned()),
            None => None,
        }
    }

    /// Runs a program until it ends or is stopped.
    ///
    /// # Errors
    /// [`Refused`] if it cannot be run here, takes too long or writes too much.
    pub fn run(&self, job: &Job<'_>) -> Result<Ended, Refused> {
        if self.is_here {
            return process::run(job, self.door(job, Way::Here)).map_err(|error| self.refused(job, &error));
        }
        match process::run(job, self.door(job, Way::Apart)) {
            // A build step may be allowed to chroot but not to mount. A root that is read-only anyway needs no mounts.
            Err(process::Failed::Start(Errno::PERM)) if self.is_read_only && job.scratch.is_none() => {
                process::run(job, self.door(job, Way::Inside)).map_err(|error| self.refused(job, &error))
            }
            ended => ended.map_err(|error| self.refused(job, &error)),
        }
    }

    fn refused(&self, job: &Job<'_>, failed: &process::Failed) -> Refused {
        let program = job.program;
        Refused(match failed {
            // For an unknown executable format, execvp tries a shell and returns that shell's error.
            process::Failed::Start(Errno::NOEXEC | Errno::NOENT) => {
                format!("{program} is built for another machine, or its interpreter is not in the root")
            }
            process::Failed::Start(Errno::PERM | Errno::NOSYS | Errno::INVAL | Errno::NOSPC) if !self.is_here => {
                format!(
                    "programs of {} cannot be run here: this process cannot create mounts (run slimroot in the builder \
                     stage itself)",
                    self.dir.display()
                )
            }
            process::Failed::Start(errno) => {
                let error = std::io::Error::from(*errno);
                format!("{program} cannot be started: {error}")
            }
            process::Failed::Slow => format!("{program} did not end within {} s", job.limit.as_secs()),
            process::Failed::Loud => format!("{program} printed more than {} MB", job.max_output / 1_000_000),
            process::Failed::Stopped => format!("{program} was interrupted"),
            process::Failed::Lost(error) => format!("{program} cannot be waited for: {error}"),
        })
    }

    fn place(&self, path: &RootPath) -> PathBuf {
        self.dir.join(std::ffi::OsStr::from_bytes(path.relative()))
    }

    fn door(&self, job: &Job<'_>, way: Way) -> Sandbox {
        match way {
            Way::Here => Sandbox::plain(job.cwd),
            Way::Inside => Sandbox::chroot(&self.dir, job.cwd),
            Way::Apart => {
                let [proc, dev, tmp] =
                    [&self.proc, &self.dev, &self.tmp].map(|path| path.as_ref().map(|path| self.place(path)));
                Sandbox::apart(&self.dir, job.cwd, &enter::Mounts { proc, dev, tmp, scratch: job.scratch })
            }
        }
    }
}

/// Method by which a program enters its root.
enum Way {
    /// The root is the host's own.
    Here,
    /// With chroot only.
    Inside,
    /// With its own mounts.
    Apart,
}
