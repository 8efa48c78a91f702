//! Text for a terminal or log. It is built line by line, and each line is passed through [`crate::text::line`], so that
//! only safe text is printed.

/// Lines that are safe to print.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Adds a line; a line break in it is escaped.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.0.push_str(&crate::text::line(line.as_ref()));
        self.0.push('\n');
    }

    /// Adds text of several lines.
    pub(super) fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// Appends another text.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
