//! A progress bar on stderr while an image is written; hidden if stderr is not a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub(in crate::cli) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(in crate::cli) fn start(is_hidden: bool, what: &'static str) -> Self {
        let bar = if is_hidden {
            ProgressBar::hidden()
        } else {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        };
        if let Ok(style) = ProgressStyle::with_template(&format!(
            "{what} {{bar:30}} {{decimal_bytes}} of {{decimal_total_bytes}} {{decimal_bytes_per_sec}}"
        )) {
            bar.set_style(style);
        }
        Self { bar }
    }

    pub(in crate::cli) fn show(&self, done: u64, all: u64) {
        if self.bar.length() != Some(all) {
            self.bar.set_length(all);
        }
        self.bar.set_position(done);
    }

    pub(in crate::cli) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
