//! Text that is on its way to a terminal or a log. It is made line by line, and each line goes through
//! [`crate::text::line`]: nothing else can be printed.

/// Lines that may be printed.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Adds a line; a line break in it is shown, not obeyed.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(&crate::text::line(line.as_ref()));
        self.0.push('\n');
    }

    /// Adds a text of several lines.
    pub(super) fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// Adds a whole text.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
