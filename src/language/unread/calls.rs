//! Calls of functions that start a command line, in languages that no rule reads: `io.popen("date -u")` of Lua,
//! `system("rm -f x")` of awk.

use memchr::memmem::find_iter;

use super::table::Row;

/// Maximum length of a command line, and maximum number of command lines of a text.
const MAX_COMMAND: usize = 512;
const MAX_COMMANDS: usize = 256;

/// Command lines that a text starts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    /// Literal ones, or their beginnings up to a blank.
    pub(super) lines: Vec<String>,
    /// True if it starts others, whose names are not literal.
    pub(super) is_open: bool,
}

/// Finds the calls of a language in a text.
pub(super) fn find(row: &Row, text: &str) -> Commands {
    let mut found = Commands::default();
    for name in row.calls.iter() {
        for at in find_iter(text.as_bytes(), name) {
            let line = text[..at].rsplit('\n').next().unwrap_or_default();
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            let after = &text[at + name.len()..];
            if line.trim_start().starts_with(row.comment()) || line.ends_with(is_part) || after.starts_with(is_part) {
                continue;
            }
            if !is_call(after) {
                // The function itself may be an argument: `pcall(os.execute, x)`.
                found.is_open |= after.starts_with(',');
                continue;
            }
            match literal(row, after).filter(|_| found.lines.len() < MAX_COMMANDS) {
                Some(command) if !found.lines.contains(&command) => found.lines.push(command),
                Some(_) => {}
                None => found.is_open = true,
            }
        }
    }
    found
}

/// True if arguments follow a name: in brackets, or a string behind a blank.
fn is_call(after: &str) -> bool {
    let argument = after.trim_start_matches([' ', '\t']);
    argument.starts_with('(')
        || argument.starts_with("[[")
        || argument.len() < after.len() && argument.starts_with(['"', '\''])
}

/// The literal that is a call's first argument. If more is appended to it, or it is a format, it counts up to the last
/// blank before.
fn literal(row: &Row, after: &str) -> Option<String> {
    let argument = after.trim_start();
    let argument = argument.strip_prefix('(').unwrap_or(argument).trim_start();
    let format = |name: &str| argument.strip_prefix(name)?.trim_start().strip_prefix('(');
    if let Some(argument) = row.formats.iter().find_map(format) {
        let (text, _) = string(argument.trim_start())?;
        let text = text.split_once('%').map_or(text.as_str(), |(before, _)| before);
        return whole(text.rsplit_once(char::is_whitespace).map_or(text, |(before, _)| before));
    }
    let (text, rest) = string(argument)?;
    let next = rest.trim_start().chars().next();
    let is_whole = rest.starts_with('\n') || next.is_none_or(|c| matches!(c, ')' | ',' | ';' | '}'));
    whole(if is_whole { text.as_str() } else { text.rsplit_once(char::is_whitespace)?.0 })
}

/// A command that is neither empty nor too long.
fn whole(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= MAX_COMMAND && !text.contains('\0')).then(|| text.to_owned())
}

/// The string that a text begins with, and the rest after it.
fn string(argument: &str) -> Option<(String, &str)> {
    match argument.chars().next()? {
        quote @ ('"' | '\'') => unescaped(&argument[1..], quote),
        '[' => argument.strip_prefix("[[")?.split_once("]]").map(|(text, rest)| (text.to_owned(), rest)),
        _ => None,
    }
}

/// The text up to the closing quote on the same line, and the rest after it.
fn unescaped(text: &str, quote: char) -> Option<(String, &str)> {
    let mut chars = text.chars();
    let mut word = String::new();
    loop {
        match chars.next()? {
            '\n' => return None,
            '\\' => word.push(chars.next()?),
            c if c == quote => return Some((word, chars.as_str())),
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::row;
    use super::find;

    #[test]
    fn literal_commands_are_found() {
        let found = |language: &str, text: &str| {
            let found = find(row(language).expect("a row"), text);
            format!("{} {}", found.lines.join("; "), found.is_open)
        };
        assert_eq!(found("lua", "local f = io.popen(\"date -u\"):read()"), "date -u false");
        assert_eq!(found("lua", "os.execute('convert ' .. name)"), "convert false");
        assert_eq!(found("lua", "os.execute [[ls -l]]\nos.execute(\"ls -l\")"), "ls -l false");
        assert_eq!(found("lua", "os.execute(command)"), " true");
        assert_eq!(found("lua", "os.execute(\"/opt/\" .. name)"), " true");
        assert_eq!(found("lua", "-- os.execute(\"ls\")\nlocal executed = 1; my_execute('x')"), " false");
        assert_eq!(found("lua", "io.popen(string.format(\"look '%s' 2>&1\", x))"), "look false");
        assert_eq!(found("lua", "names = { 'io.popen', 'io.read' } local popen = io.popen\n"), " false");
        assert_eq!(found("lua", "pcall(os.execute, x)"), " true");
        assert_eq!(found("awk", "{ system(\"rm -f \" $1); fflush() }"), "rm -f false");
    }
}
