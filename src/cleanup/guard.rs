//! A temporary directory that is removed when this process ends, even by SIGKILL: a child waits for the end, removes
//! the directory and ends.

use std::ffi::CString;
use std::io::{self, PipeWriter};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::Known;

/// Maximum depth of a directory that is removed.
const MAX_DEPTH: usize = 256;
/// Size of the buffer for names.
const NAMES: usize = 4096;

/// A temporary directory with a guard.
#[derive(Debug)]
pub struct Guarded {
    folder: Option<tempfile::TempDir>,
    /// Closed when this process ends, in whatever way; the guard waits for that.
    _alive: Option<PipeWriter>,
    guard: i32,
    _known: Known,
}

impl Guarded {
    /// Makes a directory below TMPDIR. If the guard cannot be started, the directory remains only after SIGKILL.
    ///
    /// # Errors
    /// Those of its creation.
    pub fn new() -> io::Result<Self> {
        let (folder, known) = super::create_dir(|| tempfile::Builder::new().prefix("slimroot-").tempdir())?;
        let (guard, alive) = guard(folder.path()).unzip();
        Ok(Self { folder: Some(folder), _alive: alive, guard: guard.unwrap_or_default(), _known: known })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), tempfile::TempDir::path)
    }
}

impl Drop for Guarded {
    #[expect(unsafe_code, reason = "the guard is a child of this process alone")]
    fn drop(&mut self) {
        self.folder = None;
        if self.guard > 0 {
            let mut status = 0;
            // SAFETY: the process is a child that nobody else waits for, and the status a local variable.
            unsafe {
                libc::kill(self.guard, libc::SIGKILL);
                libc::waitpid(self.guard, &raw mut status, 0);
            }
        }
    }
}

/// Starts the guard of a directory.
#[expect(unsafe_code, reason = "the child runs no other program, so that it works in an empty image")]
fn guard(dir: &Path) -> Option<(i32, PipeWriter)> {
    let dir = CString::new(dir.as_os_str().as_bytes()).ok()?;
    let (wait, alive) = io::pipe().ok()?;
    // SAFETY: the child has only this thread, where another thread's lock is never released: it allocates nothing, only
    // makes system calls, and ends by _exit.
    match unsafe { libc::fork() } {
        -1 => None,
        0 => {
            watch_over(wait.as_fd(), &dir);
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(0) }
        }
        pid => Some((pid, alive)),
    }
}

#[expect(unsafe_code, reason = "signals and descriptors are of this process alone")]
fn watch_over(wait: BorrowedFd<'_>, dir: &CString) {
    // SAFETY: the set is a local variable; the descriptors that are closed are copies of those of the parent.
    unsafe {
        libc::setsid();
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
        let kept = u32::try_from(wait.as_raw_fd()).unwrap_or_default();
        if kept > 0 {
            libc::syscall(libc::SYS_close_range, 0_u32, kept - 1, 0_u32);
        }
        libc::syscall(libc::SYS_close_range, kept + 1, u32::MAX, 0_u32);
    }
    let mut byte = [0_u8; 1];
    while rustix::io::read(wait, &mut byte) == Err(Errno::INTR) {}
    // The kernel ends processes in the directory at the same moment; one may still write.
    for _ in 0..50 {
        if let Ok(open) = open(CWD, dir) {
            let _ = empty(&open, 0);
        }
        match rustix::fs::unlinkat(CWD, dir.as_c_str(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    }
}

fn open(from: impl AsFd, name: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(from, name.as_c_str(), flags, Mode::empty())
}

/// Removes the contents of a directory. Names are relative to open directories, and no link is followed.
fn empty(dir: &OwnedFd, depth: usize) -> Result<(), Errno> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let _ = rustix::fs::fchmod(dir, Mode::RWXU);
    let mut buffer = [const { MaybeUninit::uninit() }; NAMES];
    let mut names = RawDir::new(dir, &mut buffer);
    while let Some(entry) = names.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // A directory that its owner may not enter.
            let _ = rustix::fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty());
            if let Ok(below) = rustix::fs::openat(dir, name, flags, Mode::empty()) {
                empty(&below, depth + 1)?;
            }
            let _ = rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR);
        } else {
            let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        }
    }
    Ok(())
}
