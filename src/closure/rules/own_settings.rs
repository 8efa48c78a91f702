//! Command lines in an application's own settings: JSON, YAML, TOML and INI files beside its sources. The source gives the
//! value of such a key to a function that starts programs, which no rule follows, so the programs are only reported.

use super::{On, Rule};
use crate::closure::NodeKind;
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::path::RootPath;
use crate::world::tables::own_settings as table;

pub(super) const RULE: Rule = Rule {
    id: "own-settings",
    about: "Reports programs in an application's own settings, under keys that say so.",
    brings_packages: false,
    facts: &[On::Changed],
    on,
};

/// Maximum size of a file of settings: larger ones are data. Maximum number of files, and of command lines of a file.
const MAX_SETTINGS: u64 = 256 << 10;
const MAX_FILES: usize = 1024;
const MAX_LINES: usize = 64;

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let root = state.world.root;
    let mut demands = Vec::new();
    let is_settings = |path: &RootPath| {
        let is_named = table().endings.iter().any(|ending| path.name().ends_with(ending.as_bytes()));
        is_named && !table().packages.iter().any(|dir| memchr::memmem::find(path.as_bytes(), dir.as_bytes()).is_some())
    };
    let nodes = state.graph.nodes().iter().filter(|(_, node)| matches!(node, NodeKind::File(_)));
    let mut files = 0;
    for (path, _) in nodes.filter(|(path, _)| is_settings(path)) {
        let answer = path.to_string();
        let is_done = state.is_done(RULE.id, &answer);
        if !is_done && !state.claims.cover(path) {
            continue;
        }
        files += 1;
        if files > MAX_FILES {
            root.leave_unread(path, format!("settings of applications after the first {MAX_FILES} files are not read"));
            break;
        }
        if is_done {
            continue;
        }
        demands.push(Demand::Done(answer));
        let size = root.meta(path)?.map_or(0, |meta| meta.size);
        if size > MAX_SETTINGS || state.world.owner(path)?.is_some() {
            continue;
        }
        let text = root.read(path, usize::try_from(size).unwrap_or(0))?;
        let lines = commands(&String::from_utf8_lossy(&text));
        if lines.len() > MAX_LINES {
            root.leave_unread(path, format!("of its commands, the first {MAX_LINES} are reported"));
        }
        for line in lines.into_iter().take(MAX_LINES) {
            demands.push(Demand::Report(Message::Delegated { file: path.clone(), line }));
        }
    }
    Ok(demands)
}

/// The values of keys that say that they are commands. Of a list, the first item counts.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with(['#', ';', '/', '*'])) {
        for part in line.split(['{', ',']) {
            let Some((name, value)) = part.split_once([':', '=']) else { continue };
            let name = name.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
            let value = value.trim().trim_start_matches('[').trim();
            let value = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
                _ => value.trim_end_matches([']', '}']),
            };
            if is_command(name) && !value.is_empty() {
                found.push(value.to_owned());
            }
        }
    }
    found
}

/// True for a key such as `cmd`, `convert_command` or `ffmpegPath`.
fn is_command(name: &str) -> bool {
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut start = 0;
        for (at, c) in part.char_indices().skip(1) {
            if c.is_ascii_uppercase() {
                words.push(&part[start..at]);
                start = at;
            }
        }
        words.push(&part[start..]);
    }
    words.iter().any(|word| table().keys.contain(word.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_commands_are() {
        let json = "{\"cmd\":[\"jq\",\"-n\"], \"name\": \"file\"}";
        assert_eq!(commands(json), ["jq"]);
        assert_eq!(commands("steps:\n- run: tool -V\n- name: x\n# cmd: y\n"), ["tool -V"]);
        assert_eq!(commands("[a]\nconvert_cmd = \"file -b\"\nffmpegPath=/usr/bin/x\n"), ["file -b", "/usr/bin/x"]);
        assert!(commands("command:\n  - x\n").is_empty());
    }
}
