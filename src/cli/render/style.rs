//! Layout of text on a terminal: colours like those of rustc, and lines that break only between words.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;

use super::text::Text;

/// When to colour text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Color {
    /// On a terminal, unless NO_COLOR is set (no-color.org) or TERM is dumb.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Preferences of the user for output.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Style {
    pub(in crate::cli) color: Color,
    pub(in crate::cli) is_quiet: bool,
    pub(in crate::cli) is_verbose: bool,
}

static STYLE: OnceLock<Style> = OnceLock::new();

/// Sets the style of this process, once.
pub(in crate::cli) fn set(style: Style) {
    let _ = STYLE.set(style);
}

pub(in crate::cli) fn get() -> Style {
    STYLE.get().copied().unwrap_or_default()
}

/// Minimum width of lines.
const MIN_WIDTH: usize = 40;
/// Indentation of continuation lines of a finding.
const HANG: usize = 11;
/// Last column in which the text of a row may begin, after its name: of an indented row, and of one in a list.
const LAST_ROW: usize = 14;
const LAST_LIST: usize = 24;
/// Indentation of a word that is too long for a row, such as a digest.
const SHORT_HANG: usize = 2;

const RESET: &str = "\x1b[0m";
/// Beginnings of lines, with their colours: those of rustc's diagnostics.
const COLORS: [(&str, &str); 4] = [
    ("error[", "\x1b[1m\x1b[31m"),
    ("warning[", "\x1b[1m\x1b[33m"),
    ("note[", "\x1b[1m\x1b[32m"),
    ("  help ", "\x1b[1m\x1b[36m"),
];
const BOLD: &str = "\x1b[1m";

/// The number of columns of a terminal; no limit for another stream.
pub(super) fn width(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> usize {
    let size = stream.is_terminal().then(|| rustix::termios::tcgetwinsize(stream).ok()).flatten();
    size.map_or(usize::MAX, |size| usize::from(size.ws_col)).max(MIN_WIDTH)
}

/// The text formatted for this stream.
pub(super) fn shown(text: &Text, stream: &(impl IsTerminal + std::os::fd::AsFd)) -> String {
    let (is_terminal, width) = (stream.is_terminal(), width(stream));
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_colored = match get().color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    };
    let mut out = String::new();
    for (line, is_whole) in text.lines_kept() {
        let line = if is_whole || width == usize::MAX { line.to_owned() } else { wrapped(line, width) };
        out.push_str(&if is_colored { colored(&line) } else { line });
        out.push('\n');
    }
    out
}

/// A line with breaks between its words.
fn wrapped(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let hang = hang(line);
    let (mut out, mut column) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let size = word.trim_end().chars().count();
        if column > 0 && !word.trim().is_empty() && column + size > width {
            let hang = if hang + size > width { SHORT_HANG } else { hang };
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', hang));
            column = hang;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out.truncate(out.trim_end().len());
    out
}

/// Column in which continuation lines begin: below the text of a row, or below the beginning of a sentence.
fn hang(line: &str) -> usize {
    let indent = line.len() - line.trim_start().len();
    if COLORS.iter().any(|(start, _)| start.ends_with('[') && line.starts_with(start)) {
        return HANG;
    }
    let Some(name) = line[indent..].find("  ").map(|end| indent + end) else { return indent };
    let text = line.len() - line[name..].trim_start().len();
    let last = if indent == 0 { LAST_LIST } else { LAST_ROW };
    if text <= last && !line[indent..name].contains(' ') { text } else { indent }
}

fn colored(line: &str) -> String {
    let Some((start, color)) = COLORS.iter().find(|(start, _)| line.starts_with(start)) else { return line.to_owned() };
    let head = if start.ends_with('[') { line.find("]:").map_or(0, |at| at + 1) } else { start.len() };
    let (head, rest) = line.split_at(head);
    match start.ends_with('[') {
        true => format!("{color}{head}{RESET}{BOLD}{rest}{RESET}"),
        false => format!("{color}{head}{RESET}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_lose_none() {
        let digest = format!("layer    sha256:{}", "0".repeat(64));
        for line in [
            "auto       tzdata: /usr/bin/curl imports localtime (454 files, 635.6 kB; turn off with --no-profile tzdata)",
            &digest,
        ] {
            for width in [40, 60, 80] {
                let shown = wrapped(line, width);
                assert!(shown.split_whitespace().eq(line.split_whitespace()), "{shown}");
                let fits = |line: &str| line.chars().count() <= width || line.trim().split(' ').count() == 1;
                assert!(shown.lines().all(fits), "{shown}");
            }
        }
        assert!(wrapped(&digest, 80).lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn further_lines_stand_below_the_text() {
        for (line, column) in [
            ("check executes nothing: it does not see", 0),
            ("error[x-y]: a", 11),
            ("  help       apt-get install libexpat1", 13),
            ("profiles   locale, nss", 11),
            ("           layer    15.4 MB gzip", 11),
            ("alsa                 ALSA: descriptions", 21),
            ("      /app/x.py starts it in line 399", 6),
            ("  cure  set the working directory", 8),
            ("packed", 0),
        ] {
            assert_eq!(hang(line), column, "{line}");
        }
    }

    #[test]
    fn only_the_head_of_a_message_is_coloured() {
        assert_eq!(colored("error[x-y]: a"), "\x1b[1m\x1b[31merror[x-y]\x1b[0m\x1b[1m: a\x1b[0m");
        assert_eq!(colored("errors are here"), "errors are here");
    }
}
