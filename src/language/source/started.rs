//! Programs that the sources of a Perl, PHP or Ruby application start by name, and the shell that starts them. The
//! sources of installed modules are not scanned.

use serde::Deserialize;

use super::application as app;
use super::interpreters::system_shell;
use super::literals::Named;
use crate::error::Error;
use crate::language::{Call, Certainty, Command, Needs};
use crate::path::RootPath;
use crate::root::{FileKind, Visit};
use crate::world::tables::Words;

/// Maximum size of a source file that is scanned.
const MAX_SOURCE: usize = 4 << 20;

/// How a language starts programs, from its table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Manner {
    /// Suffixes of its source files.
    sources: Words,
    /// Text that precedes a command.
    calls: Words,
    /// Tokens that must precede a backtick command; `None` if all backticks contain commands.
    before_backtick: Option<Words>,
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
                let is_command = match &self.before_backtick {
                    Some(signs) => signs.end(before),
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
        let mut starts = named.starts(path, text, &manner.calls);
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
            let is_source = manner.sources.end(path.name());
            if meta.kind == FileKind::File && is_source && meta.size < MAX_SOURCE as u64 {
                look(path, &call.root.read(path, MAX_SOURCE)?);
            }
            Ok(if app::is_leftover(path) { Visit::Pass } else { Visit::Enter })
        })?;
    }
    if let Some(path) = shell {
        let why = format!("{path} starts programs, which a shell does for it");
        needs.commands.push(Command { name: system_shell().to_owned(), certainty: Certainty::Likely, why });
    }
    named.ask(call, needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_backticks_are_told_from_names() {
        let found = |before: &str, text: &'static str| -> Vec<String> {
            let manner: Manner = toml::from_str(&format!("sources = []\ncalls = []\n{before}")).expect("a table");
            let found = manner.backticks(text.as_bytes());
            found.into_iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect()
        };
        assert_eq!(found("", "# `no`\nx { `date -u` } . `id`"), ["date -u", "id"]);
        assert_eq!(
            found("before-backtick = ['=', 'return']", "$q = 'select `id`'; $d = `date`;\nreturn `w`;"),
            ["date", "w"]
        );
    }
}
