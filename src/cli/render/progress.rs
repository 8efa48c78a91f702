//! What is being done, on stderr: a line with the number of files looked at while slimroot decides, then a bar while an
//! image is written. Hidden if stderr is not a terminal.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How often the line is drawn anew; the first time after one step.
const STEP: Duration = Duration::from_millis(120);

pub(in crate::cli) struct Progress {
    bar: ProgressBar,
    what: &'static str,
}

impl Progress {
    pub(in crate::cli) fn start(is_hidden: bool, what: &'static str) -> Self {
        let bar = if is_hidden || super::style::get().is_quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        };
        let files = |_: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}", crate::root::looked_at());
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} reading the root: {files} paths, {elapsed}") {
            bar.set_style(style.with_key("files", files));
        }
        bar.enable_steady_tick(STEP);
        Self { bar, what }
    }

    pub(in crate::cli) fn show(&self, done: u64, all: u64) {
        if self.bar.length() != Some(all) {
            let template = format!(
                "{} {{bar:30}} {{decimal_bytes}} of {{decimal_total_bytes}} {{decimal_bytes_per_sec}}",
                self.what
            );
            if let Ok(style) = ProgressStyle::with_template(&template) {
                self.bar.set_style(style);
            }
            self.bar.set_length(all);
        }
        self.bar.set_position(done);
    }

    pub(in crate::cli) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
