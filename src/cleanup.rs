//! Cleanup before the process ends. Every temporary output is registered here, so that a signal can stop the run in any
//! phase. Once the first output is in place, the run is no longer stopped: it is nearly complete. A directory that must
//! be removed even after SIGKILL has a guard, a process that removes it (`cleanup/guard.rs`).

mod guard;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use guard::Guarded;

/// Time for which removal is retried while other threads still write.
const PATIENCE: Duration = Duration::from_secs(5);

struct State {
    next: u64,
    paths: Vec<(u64, PathBuf)>,
    is_in_place: bool,
}

static STATE: Mutex<State> = Mutex::new(State { next: 0, paths: Vec::new(), is_in_place: false });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path that is removed if the run is stopped; registered as long as this value exists.
#[derive(Debug)]
pub struct Known(u64);

impl Known {
    /// Registers a path, which does not exist yet; [`create`] makes it.
    pub fn new(path: &Path) -> Self {
        state().register(path)
    }
}

/// Creates a registered path, while no other thread can begin to remove what is registered. Once the process ends, this
/// does not return: nothing that was removed is made again.
///
/// # Errors
/// Those of `make`.
pub fn create<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _state = state();
    make()
}

/// As [`create`], for a temporary directory, whose path is not known before.
///
/// # Errors
/// Those of `make`.
pub fn create_dir(make: impl FnOnce() -> io::Result<TempDir>) -> io::Result<(TempDir, Known)> {
    let mut state = state();
    let folder = make()?;
    let known = state.register(folder.path());
    Ok((folder, known))
}

impl State {
    fn register(&mut self, path: &Path) -> Known {
        self.next += 1;
        self.paths.push((self.next, path.to_path_buf()));
        Known(self.next)
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        state().paths.retain(|(id, _)| *id != self.0);
    }
}

/// True if there is nothing to remove.
pub fn is_idle() -> bool {
    state().paths.is_empty()
}

/// From here on outputs are moved into place, so the run is not stopped any more.
pub fn begin_placing() {
    state().is_in_place = true;
}

/// No output could be moved into place, so the run may be stopped again.
pub fn placing_failed() {
    state().is_in_place = false;
}

/// Removes all registered paths before the process ends. Returns false if outputs are in place, in which case the
/// process must continue.
pub fn leave() -> bool {
    removed(state())
}

/// As [`leave`], for a thread that panics and may itself hold the lock.
pub fn leave_after_bug() {
    if let Ok(state) = STATE.try_lock() {
        removed(state);
    }
}

fn removed(state: MutexGuard<'_, State>) -> bool {
    if state.is_in_place {
        return false;
    }
    let begun = Instant::now();
    while state.paths.iter().any(|(_, path)| !is_removed(path)) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
    // Keep the lock, so that nothing new is registered until the process has ended.
    std::mem::forget(state);
    true
}

fn is_removed(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path).is_ok(),
        Ok(_) => std::fs::remove_file(path).is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_created_after_the_removal() {
        const NAME: &str = "cleanup::tests::nothing_is_created_after_the_removal";
        const FILE: &str = "SLIMROOT_TEST_CREATED_AFTER_REMOVAL";
        if let Some(file) = std::env::var_os(FILE) {
            let path = PathBuf::from(file);
            let _known = Known::new(&path);
            create(|| std::fs::write(&path, "half")).expect("written");
            assert!(leave());
            assert!(!path.exists());
            std::thread::spawn(move || create(|| std::fs::write(&path, "again")));
            std::thread::sleep(Duration::from_millis(200));
            std::process::exit(0);
        }
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("half");
        let ran = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", NAME])
            .env(FILE, &file)
            .output()
            .expect("it runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert!(!file.exists());
    }
}
