//! Whether there is a stdout. Before `main` begins, the runtime opens /dev/null in the place of a stdout that is closed, so
//! that an archive would be written to nowhere; so it is looked at before that.

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

/// Whether the process was started without a stdout.
pub(super) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}
