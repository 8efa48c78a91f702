//! Prose: commands quoted for the shell, paragraphs wrapped for a terminal.

/// Maximum length of a line of prose: longer ones are hard to read.
const WIDTH: usize = 96;

/// Arguments quoted for the shell; those that are unsafe to paste are shown unquoted.
pub(super) fn command(words: &[String]) -> String {
    crate::text::shell_line(words.iter().map(String::as_str)).unwrap_or_else(|| words.join(" "))
}

/// Wraps lines between words for this many columns; a longer word gets its own line. In an indented line with two blanks
/// after its first word, continuation lines are aligned with the text.
pub(super) fn wrapped(text: &str, columns: usize) -> String {
    let columns = columns.min(WIDTH);
    let mut out = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let hang = hang(line, indent);
        let mut width = indent;
        out.push_str(&line[..indent]);
        for word in line.split_whitespace() {
            let long = word.chars().count();
            if width > indent && width + 1 + long > columns {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', hang));
                width = hang;
            } else if width > indent {
                let blanks = if width < hang && indent > 0 { hang - width } else { 1 };
                out.extend(std::iter::repeat_n(' ', blanks));
                width += blanks;
            }
            out.push_str(word);
            width += long;
        }
        out.push('\n');
    }
    out
}

/// The column of the text after the first word of an indented line and two blanks, or 0.
fn hang(line: &str, indent: usize) -> usize {
    if indent == 0 {
        return 0;
    }
    let Some(name) = line[indent..].find("  ").map(|end| indent + end) else { return indent };
    if line[indent..name].contains(' ') { indent } else { line.len() - line[name..].trim_start().len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_too_long_and_no_word_is_lost() {
        for check in crate::check::CHECKS {
            for columns in [60, 80, usize::MAX] {
                let shown = wrapped(check.text, columns);
                assert!(shown.lines().all(|line| line.chars().count() <= columns.min(WIDTH)), "{shown}");
                assert!(shown.split_whitespace().eq(check.text.split_whitespace()), "{shown}");
            }
        }
        assert_eq!(wrapped("findings\n  a-code\n\nerrors\n  b\n", 80), "findings\n  a-code\n\nerrors\n  b\n");
        assert_eq!(wrapped("  cure  one two three\n", 16), "  cure  one two\n        three\n");
    }

    #[test]
    fn a_shell_reads_the_words_that_were_given() {
        let words = ["nginx", "-g", "daemon off;", "it's", "", "$HOME", "$(id)", "a`id`", "!x", "~", "-n", "#"]
            .map(str::to_owned);
        let line = format!("printf '%s\\0' {}", command(&words));
        let said = std::process::Command::new("sh").args(["-c", &line]).output().expect("sh runs");
        let read: Vec<&[u8]> = said.stdout.split(|byte| *byte == 0).take(words.len()).collect();
        assert!(words.iter().map(|word| word.as_bytes()).eq(read));
    }
}
