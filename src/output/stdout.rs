//! Detects a missing stdout. Before `main`, the runtime opens /dev/null in place of a closed stdout, so an archive
//! would be lost. The check therefore runs before that.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

#[used]
#[expect(unsafe_code, reason = "the section of functions that run before the runtime")]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = look;

extern "C" fn look() {
    if rustix::io::fcntl_getfd(std::io::stdout()).is_err() {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}

/// True if the process was started without a stdout.
pub(super) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}
