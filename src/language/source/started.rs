//! Programs that the sources of a Perl, PHP or Ruby application start by name, and the shell that starts them. The
//! sources of installed modules are not scanned.

use super::application as app;
use super::literals::Named;
use crate::error::Error;
use crate::language::{Call, Certainty, Command, Needs};
use crate::path::RootPath;
use crate::root::{FileKind, Visit};

/// Maximum size of a source file that is scanned.
const MAX_SOURCE: usize = 4 << 20;

/// How a language starts programs.
pub(crate) struct Manner {
    /// Suffixes of its source files.
    pub(crate) sources: &'static [&'static str],
    /// Text that precedes a command.
    pub(crate) calls: &'static [&'static str],
    /// Tokens that must precede a backtick command; `None` if all backticks contain commands.
    pub(crate) before_backtick: Option<&'static [&'static str]>,
}

impl Manner {
    /// Backtick commands, each with its offset.
    fn backticks<'t>(&self, text: &'t [u8]) -> Vec<(usize, &'t [u8])> {
        let mut found = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let mut from = 0;
            while let Some(open) = memchr::memchr(b'`', &line[from..]).map(|open| from + open) {
                let Some(length) = memchr::memchr(b'`', &line[open + 1..]) else { break };
                let before = line[..open].trim_ascii_end();
                let is_command = match self.before_backtick {
                    Some(signs) => signs.iter().any(|sign| before.ends_with(sign.as_bytes())),
                    None => memchr::memchr(b'#', before).is_none(),
                };
                if is_command && length > 0 {
                    found.push((at + open, &line[open + 1..=open + length]));
                }
                from = open + length + 2;
            }
            at += line.len();
        }
        found
    }
}

/// Adds the programs that the sources in `dirs`, and `files`, start.
pub(crate) fn ask(
    call: &Call<'_>,
    manner: &Manner,
    dirs: &[RootPath],
    files: &[RootPath],
    needs: &mut Needs,
) -> Result<(), Error> {
    let mut named = Named::default();
    let mut shell = None;
    let mut look = |path: &RootPath, text: &[u8]| {
        let mut starts = named.starts(path, text, manner.calls);
        for (at, command) in manner.backticks(text) {
            starts = true;
            named.command(path, text, at, command);
        }
        if starts && shell.is_none() {
            shell = Some(path.clone());
        }
    };
    for file in files {
        if let Some((real, text)) = call.root.read_followed(file.as_bytes(), MAX_SOURCE)? {
            look(&real, &text);
        }
    }
    for dir in dirs {
        call.root.visit(dir, &mut |path, meta| {
            let is_source = manner.sources.iter().any(|end| path.name().ends_with(end.as_bytes()));
            if meta.kind == FileKind::File && is_source && meta.size < MAX_SOURCE as u64 {
                look(path, &call.root.read(path, MAX_SOURCE)?);
            }
            Ok(if app::is_leftover(path) { Visit::Pass } else { Visit::Enter })
        })?;
    }
    if let Some(path) = shell {
        let why = format!("{path} starts programs, which a shell does for it");
        needs.commands.push(Command { name: "/bin/sh".to_owned(), certainty: Certainty::Likely, why });
    }
    named.ask(call, needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_backticks_are_told_from_names() {
        let found = |before, text: &'static str| -> Vec<String> {
            let manner = Manner { sources: &[], calls: &[], before_backtick: before };
            let found = manner.backticks(text.as_bytes());
            found.into_iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect()
        };
        assert_eq!(found(None, "# `no`\nx { `date -u` } . `id`"), ["date -u", "id"]);
        assert_eq!(found(Some(&["=", "return"]), "$q = 'select `id`'; $d = `date`;\nreturn `w`;"), ["date", "w"]);
    }
}
