//! Text for a terminal or log. It is built line by line, and each line is passed through [`crate::text::line`], so that
//! only safe text is printed.

/// Lines that are safe to print.
#[derive(Default)]
pub(super) struct Text(Vec<(String, bool)>);

impl Text {
    /// Adds a line; a line break in it is escaped.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.0.push((crate::text::line(line.as_ref()).into_owned(), false));
    }

    /// Adds a line that is not wrapped, because users copy it.
    pub(super) fn whole(&mut self, line: impl AsRef<str>) {
        self.0.push((crate::text::line(line.as_ref()).into_owned(), true));
    }

    /// Adds text of several lines.
    pub(super) fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// Appends another text.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// True without lines.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines; the flag is true for lines that are not wrapped.
    pub(super) fn lines_kept(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(|(line, is_whole)| (line.as_str(), *is_whole))
    }
}
