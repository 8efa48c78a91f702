//! Command lines in an application's own settings: JSON, YAML, TOML, INI and `.env` files without a package. The application
//! gives the value of such a key to a function that starts programs, which no rule follows. A key such as `command` is
//! evidence enough to pack a program; the programs of other keys are reported.

use super::{On, Rule};
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, NodeKind, path_of};
use crate::error::Error;
use crate::language::{is_word, runs_others, shell_words, system_shell};
use crate::path::RootPath;
use crate::world::program_in_path;
use crate::world::tables::{Words, own_settings as table, own_sources};

pub(super) const RULE: Rule = Rule {
    id: "own-settings",
    about: "Packs or reports programs in an application's own settings, under keys that say so.",
    brings_packages: true,
    facts: &[On::Changed],
    on,
};

/// Maximum size of a file of settings: larger ones are data. Maximum number of command lines of a file.
const MAX_SETTINGS: u64 = 256 << 10;
const MAX_LINES: usize = 64;

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let root = state.world.root;
    let mut demands = Vec::new();
    let is_settings = |path: &RootPath| {
        let is_named = table().endings.iter().any(|ending| path.name().ends_with(ending.as_bytes()));
        is_named && !table().packages.iter().any(|dir| memchr::memmem::find(path.as_bytes(), dir.as_bytes()).is_some())
    };
    let has_database = state.world.database()?.is_some();
    let nodes = state.graph.nodes().iter().filter(|(_, node)| matches!(node, NodeKind::File(_)));
    for (path, _) in nodes.filter(|(path, _)| is_settings(path)) {
        let answer = path.to_string();
        // Without a database, the settings of a distribution look as if they belonged to the application.
        if state.is_done(RULE.id, &answer) || !has_database && !state.claims.cover(path) {
            continue;
        }
        demands.push(Demand::Done(answer));
        let size = root.meta(path)?.map_or(0, |meta| meta.size);
        if size > MAX_SETTINGS || state.world.owner(path)?.is_some() {
            continue;
        }
        let text = root.read(path, usize::try_from(size).unwrap_or(0))?;
        look(state, path, &String::from_utf8_lossy(&text), &mut demands)?;
    }
    Ok(demands)
}

/// Adds or reports the programs in a text of settings, which are a file or part of an archive.
pub(super) fn look(state: &State<'_>, file: &RootPath, text: &str, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let lines = commands(text);
    if lines.len() > MAX_LINES {
        state.world.root.leave_unread(file, format!("of its commands, the first {MAX_LINES} are looked up"));
    }
    let is_for_builds = table().of_builds.end(file.name());
    for Command { line, is_sure } in lines.into_iter().take(MAX_LINES) {
        let start = if is_sure && !is_for_builds { start(state, file, &line)? } else { None };
        demands.push(start.unwrap_or_else(|| Demand::Report(Message::Delegated { file: file.clone(), line })));
    }
    Ok(())
}

/// The start of a program whose name, or a command line of which, is a value. A path is looked up by other rules, and words
/// and interpreters mean something else too often.
fn start(state: &State<'_>, file: &RootPath, line: &str) -> Result<Option<Demand>, Error> {
    let name = line.split_whitespace().next().unwrap_or_default();
    if name.contains('/') || is_wordy(name) || state.request.companions == Companions::None {
        return Ok(None);
    }
    let path = path_of(&state.request.env);
    let found = program_in_path(state.world.root, path, name)?.filter(|path| !state.is_excluded(path));
    let Some(program) = found else { return Ok(None) };
    let shell = program_in_path(state.world.root, path, system_shell())?;
    // A shell knows the words of a line unless it is a template.
    let shell = shell.filter(|_| name != line && !line.contains(['{', '%', '#', '$', '\\']));
    let why = format!("{file} has it under a key for commands");
    let mut start = state.start_by(file, shell.as_ref().unwrap_or(&program), why, false);
    start.tells_missing = false;
    if shell.is_some() {
        start.words = shell_words(line);
    }
    Ok(Some(Demand::Start(start)))
}

/// True for the name of a program that is more often a word, or that of an interpreter.
pub(super) fn is_wordy(name: &str) -> bool {
    is_word(name.as_bytes()) || own_sources().words.contain(name) || runs_others(name)
}

/// A value of a key that says that it is a command.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    line: String,
    /// The key is one of those that say it clearly.
    is_sure: bool,
}

/// The values of keys that say that they are commands. Of a list, the first item counts.
fn commands(text: &str) -> Vec<Command> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';', '/', '*'])) {
        for part in line.split(['{', ',']) {
            let Some((name, value)) = part.split_once([':', '=']) else { continue };
            let name = name.trim().trim_start_matches("- ").trim_start_matches("export ").trim_matches(['"', '\'']);
            let value = value.trim().trim_start_matches('[').trim();
            let value = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
                _ => value.trim_end_matches([']', '}']),
            };
            let words = words(name);
            let is_one_of = |keys: &Words| words.iter().any(|word| keys.contain(word));
            if is_one_of(&table().keys) && !value.is_empty() {
                found.push(Command { line: value.to_owned(), is_sure: is_one_of(&table().starts) });
            }
        }
    }
    found
}

/// The words of a key such as `cmd`, `convert_command` or `ffmpegPath`.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut start = 0;
        for (at, c) in part.char_indices().skip(1) {
            if c.is_ascii_uppercase() && !part[..at].ends_with(|c: char| c.is_ascii_uppercase()) {
                words.push(&part[start..at]);
                start = at;
            }
        }
        words.push(&part[start..]);
    }
    words.into_iter().map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_commands_are() {
        let lines = |text: &str| -> Vec<String> { commands(text).into_iter().map(|one| one.line).collect() };
        let json = "{\"cmd\":[\"jq\",\"-n\"], \"name\": \"file\"}";
        assert_eq!(lines(json), ["jq"]);
        assert_eq!(lines("steps:\n- run: tool -V\n- name: x\n# cmd: y\n"), ["tool -V"]);
        assert_eq!(lines("[a]\nconvert_cmd = \"file -b\"\nffmpegPath=/usr/bin/x\n"), ["file -b", "/usr/bin/x"]);
        assert_eq!(lines("export TOOL=jq\nRUN_AS=www\n"), ["jq", "www"]);
        assert!(commands("command:\n  - x\n").is_empty());
        let sure = commands("tool: jq\nrun: jq\nconvertCommand: x\n").into_iter().map(|one| one.is_sure);
        assert_eq!(sure.collect::<Vec<_>>(), [true, false, true]);
    }
}
