//! Measuring the size of the root while the image is written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::root::DirTree;

/// Time limits for measuring the size of the root after the image is written, or planned with `--dry-run`.
const MEASURE_LIMIT: Duration = Duration::from_secs(1);
const DRY_MEASURE_LIMIT: Duration = Duration::from_millis(200);
const PACE: Duration = Duration::from_millis(20);

/// Measures the size of the root on its own thread while the image is written.
pub(super) struct Measuring {
    sum: std::sync::mpsc::Receiver<Option<u64>>,
    enough: Arc<AtomicBool>,
}

/// Starts to measure a root.
///
/// # Errors
/// `root-missing`.
pub(super) fn measure(root: &Path) -> Result<Measuring, Error> {
    let tree = DirTree::open(root)?;
    let enough = Arc::new(AtomicBool::new(false));
    let (send, sum) = std::sync::mpsc::channel();
    let is_enough = Arc::clone(&enough);
    // If no thread can be started, the size stays unknown.
    let _ = Builder::new().spawn(move || send.send(tree.measure(&|| is_enough.load(Ordering::Relaxed))));
    Ok(Measuring { sum, enough })
}

impl Measuring {
    /// The size, if it is known in time.
    pub(super) fn finish(&self, is_dry: bool, stop: &dyn Fn() -> bool) -> Option<u64> {
        let (begun, patience) = (Instant::now(), if is_dry { DRY_MEASURE_LIMIT } else { MEASURE_LIMIT });
        let sum = loop {
            match self.sum.recv_timeout(PACE) {
                Err(RecvTimeoutError::Timeout) if begun.elapsed() < patience && !stop() => {}
                ended => break ended.ok().flatten(),
            }
        };
        self.enough.store(true, Ordering::Relaxed);
        sum
    }
}
