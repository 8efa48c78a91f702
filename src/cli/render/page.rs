//! Prose: commands quoted for the shell, paragraphs wrapped for a terminal.

const WIDTH: usize = 96;

/// Arguments quoted for the shell; those that are unsafe to paste are shown unquoted.
pub(super) fn command(words: &[String]) -> String {
    crate::text::shell_line(words.iter().map(String::as_str)).unwrap_or_else(|| words.join(" "))
}

/// Wraps lines between words; a longer word gets its own line.
pub(super) fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let mut width = indent;
        out.push_str(&line[..indent]);
        for word in line.split_whitespace() {
            let long = word.chars().count();
            if width > indent && width + 1 + long > WIDTH {
                out.push('\n');
                width = 0;
            } else if width > indent {
                out.push(' ');
                width += 1;
            }
            out.push_str(word);
            width += long;
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_too_long_and_no_word_is_lost() {
        for check in crate::check::CHECKS {
            let shown = wrapped(check.text);
            assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
            assert!(shown.split_whitespace().eq(check.text.split_whitespace()), "{shown}");
        }
        assert_eq!(wrapped("findings\n  a-code\n\nerrors\n  b\n"), "findings\n  a-code\n\nerrors\n  b\n");
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
