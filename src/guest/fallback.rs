//! A trial without namespaces, as in `RUN` steps without CAP_SYS_ADMIN: the program runs only in a chroot(2), for the
//! packed root in a copy. Landlock refuses writes outside /tmp, so that neither root changes.
//!
//! A root without mounts has no /proc and /dev. The tracer redirects lookups there to this machine, through an open
//! directory (`watch`).

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Gid, Uid};
use seccompiler::sock_filter;

use super::{Trial, calls, trial};
use crate::watch;

/// The descriptor number of this machine's directory in the program, far above those that programs inherit.
pub(super) const OUTSIDE: i32 = 719;

/// Arguments for the child between fork and exec, prepared because it must not allocate.
pub(super) struct Fallback {
    root: CString,
    workdir: CString,
    user: (Uid, Vec<Gid>),
    memory: u64,
    fence: Option<OwnedFd>,
    calls: Vec<sock_filter>,
    is_root: bool,
}

impl Fallback {
    /// # Errors
    /// `PermissionDenied` if the program could not be kept from writing.
    pub(super) fn new(trial: &Trial<'_>) -> io::Result<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let fence = fence(trial.root).ok();
        if !is_root || (fence.is_none() && trial.user.0 == 0) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let groups = trial.user.1.iter().map(|gid| Gid::from_raw(*gid)).collect();
        Ok(Self {
            root: CString::new(trial.root.as_os_str().as_bytes())?,
            workdir: CString::new(trial.workdir)?,
            user: (Uid::from_raw(trial.user.0), groups),
            memory: trial.memory,
            fence,
            calls: calls::filter_for_containers(),
            is_root,
        })
    }

    /// Makes the root of the trial `/`.
    pub(super) fn enter(&self) -> io::Result<()> {
        rustix::process::umask(Mode::from_raw_mode(0o022));
        let outside = rustix::fs::openat(CWD, c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        watch::place(&outside, OUTSIDE)?;
        rustix::process::chdir(self.root.as_c_str())?;
        rustix::process::chroot(c".")?;
        rustix::process::chdir(self.workdir.as_c_str())?;
        Ok(())
    }

    /// Switches to the image's user, irrevocably.
    pub(super) fn give_up(&self) -> io::Result<()> {
        trial::limit(self.memory);
        rustix::thread::set_no_new_privs(true)?;
        watch::apply(&self.calls)?;
        trial::drop_capabilities();
        if self.is_root {
            trial::become_user(self.user.0, &self.user.1)?;
        }
        // The tracer has no capability to read a process of another user.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
        if let Some(fence) = &self.fence {
            watch::restrict(fence)?;
        }
        Ok(())
    }
}

/// True if the kernel offers Landlock.
pub(crate) fn has_fence() -> bool {
    watch::fence(&[]).is_ok()
}

/// Rules that refuse all writes except those to the root's /tmp and to devices.
fn fence(root: &Path) -> io::Result<OwnedFd> {
    watch::fence(&[root.join("tmp"), PathBuf::from("/dev"), PathBuf::from("/proc/self")])
}
