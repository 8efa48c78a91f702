//! Progress on stderr: a line with what was read so far while slimroot decides, then a bar while an image is
//! written. Hidden if stderr is not a terminal.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Interval at which the line is drawn again.
const STEP: Duration = Duration::from_millis(120);

pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    pub(in crate::cli) fn start(is_hidden: bool, what: &'static str) -> Self {
        let bar = if is_hidden || super::style::get().is_quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        };
        let read = |_: &ProgressState, out: &mut dyn Write| {
            let layers = crate::image_reader::bytes_read();
            if layers > 0 {
                let _ = write!(out, "{} of layers, ", DecimalBytes(layers));
            }
            let _ = write!(out, "{} paths", crate::root::looked_at());
        };
        if let Ok(style) = ProgressStyle::with_template(&format!("{{spinner}} {what}: {{read}}, {{elapsed}}")) {
            bar.set_style(style.with_key("read", read));
        }
        // It starts a thread and does not expect that to fail.
        let is_thread_left = || std::thread::Builder::new().spawn(|| ()).is_ok_and(|thread| thread.join().is_ok());
        if !bar.is_hidden() && is_thread_left() {
            bar.enable_steady_tick(STEP);
        }
        Self(bar)
    }

    pub(in crate::cli) fn show(&self, done: u64, all: u64) {
        if self.0.length() != Some(all) {
            let template = "packing {bar:30} {decimal_bytes} of {decimal_total_bytes} {decimal_bytes_per_sec}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.0.set_style(style);
            }
            self.0.set_length(all);
        }
        self.0.set_position(done);
    }

    pub(in crate::cli) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
