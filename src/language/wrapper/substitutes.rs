//! Editors of streams that start commands: `s/x/COMMAND/e` and `e COMMAND` of GNU sed (sed(1)).

use crate::error::Error;
use crate::language::source::interpreters::shell_words;
use crate::language::source::wrapped;
use crate::language::{Call, Needs, Start};

/// Maximum size of a script, and number of commands of a launch that are followed.
const MAX_SCRIPT: usize = 256 << 10;
const MAX_COMMANDS: usize = 64;

/// Adds the commands in the scripts among the arguments, and in files that options name.
pub(super) fn commands(call: &Call<'_>, name: &str, args: &[String], needs: &mut Needs) -> Result<(), Error> {
    let Some(files) = wrapped::edits_streams(name) else { return Ok(()) };
    let mut texts = args.to_vec();
    for pair in args.windows(2).filter(|pair| files.contain(&pair[0])) {
        if let Some((_, text)) =
            call.file(&pair[1])?.map_or(Ok(None), |file| call.root.read_followed(file.as_bytes(), MAX_SCRIPT))?
        {
            texts.push(String::from_utf8_lossy(&text).into_owned());
        }
    }
    for command in texts.iter().flat_map(|text| of_script(text)).take(MAX_COMMANDS) {
        let start = Start::of(call, shell_words(&command), format!("{name} starts it"));
        needs.starts.push(Start { is_exec: false, ..start });
    }
    Ok(())
}

/// The command lines of a script. A command begins a line, or stands behind an address, `;` or `{`.
fn of_script(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut at = 0;
        while let Some(byte) = line.as_bytes().get(at) {
            let before = line[..at].trim_end().bytes().next_back();
            let is_first = before.is_none_or(|b| b.is_ascii_digit() || b";{$/,!".contains(&b));
            match byte {
                b's' if is_first => match substitution(&line[at + 1..]) {
                    Some((command, length)) => {
                        found.extend(command);
                        at += 1 + length;
                    }
                    None => at += 1,
                },
                b'e' if is_first && line[at + 1..].starts_with(' ') && !line[at + 1..].trim().is_empty() => {
                    found.push(line[at + 1..].trim().to_owned());
                    break;
                }
                // An address is a pattern.
                b'/' if is_first => {
                    at += 1 + line[at + 1..].find('/').map_or(0, |end| end + 1);
                }
                // What is no text of one byte cannot begin a command.
                _ => at += line[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
    }
    found
}

/// The replacement, if it is a command, and the length of what follows `s`; `None` for other text.
fn substitution(text: &str) -> Option<(Option<String>, usize)> {
    let mark = text.chars().next().filter(|c| c.is_ascii_punctuation() && *c != '\\')?;
    let mut parts = Vec::new();
    let (mut part, mut at) = (String::new(), 1);
    let mut chars = text[1..].chars().peekable();
    while parts.len() < 2 {
        let c = chars.next()?;
        at += c.len_utf8();
        match c {
            c if c == mark => parts.push(std::mem::take(&mut part)),
            '\\' => {
                let next = chars.next()?;
                at += next.len_utf8();
                if next != mark {
                    part.push('\\');
                }
                part.push(next);
            }
            c => part.push(c),
        }
    }
    let flags: String = chars.take_while(char::is_ascii_alphanumeric).collect();
    let command = parts.pop().filter(|command| flags.contains('e') && !command.trim().is_empty());
    Some((command, at + flags.len()))
}

#[cfg(test)]
mod tests {
    use super::of_script;

    #[test]
    fn commands_are_replacements_with_a_flag() {
        assert_eq!(of_script("s/x/tool -n/e"), ["tool -n"]);
        assert_eq!(of_script("1,3{s|.*|tool \\|&|ge; p}"), ["tool |&"]);
        assert_eq!(of_script("$e tool -n"), ["tool -n"]);
        for text in ["s/e/x/", "s/x/tool/g", "/e x/d", "y/e/s/", "s/x", "s\u{e9}e\u{e9}", "a see"] {
            assert!(of_script(text).is_empty(), "{text}");
        }
    }
}
