//! What must be gone before the process ends: everything that is written aside is known here, so that a signal can end any
//! phase of a run at once. Once the first output is in place a run is not ended any more: it is as good as done.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long what other threads still write to is removed again and again.
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

/// A path that is to be removed if the run is ended; known as long as this value lives.
#[derive(Debug)]
pub struct Known(u64);

impl Known {
    /// Makes a path known. It need not exist yet.
    pub fn new(path: &Path) -> Self {
        let mut state = state();
        state.next += 1;
        let id = state.next;
        state.paths.push((id, path.to_path_buf()));
        Self(id)
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        state().paths.retain(|(id, _)| *id != self.0);
    }
}

/// Whether nothing has to be removed.
pub fn is_idle() -> bool {
    state().paths.is_empty()
}

/// Outputs begin to get into place: from here on the run goes to its end.
pub fn begin_placing() {
    state().is_in_place = true;
}

/// Outputs could not be put into place, and none is.
pub fn placing_failed() {
    state().is_in_place = false;
}

/// Removes all that is known, for a process that ends now; false if outputs are in place, so that it must not be ended.
pub fn leave() -> bool {
    let state = state();
    if state.is_in_place {
        return false;
    }
    let begun = Instant::now();
    while state.paths.iter().any(|(_, path)| !is_removed(path)) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(2));
    }
    // Nothing new becomes known until the process has ended.
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
