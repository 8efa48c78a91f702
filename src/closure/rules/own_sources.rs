//! Programs that an application's own sources name without a call that says so: in tables, attributes, arguments of its
//! own functions, and in settings beside them. A whole text before an option (`["tool", "-x"]`), or a text that is a
//! command line, is strong evidence. Another whole text counts if one of the sources starts programs: a few of a source
//! are packed, and more of them, words and values of settings are reported.

use std::collections::BTreeSet;

use super::own_settings::is_wordy;
use super::{On, Rule};
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, NodeKind, path_of};
use crate::error::Error;
use crate::language::{is_shell, runs_language, shell_words};
use crate::path::{RootPath, show};
use crate::world::tables::{own_settings, own_sources};
use crate::world::{command_line, program_in_path};

pub(super) const RULE: Rule = Rule {
    id: "own-sources",
    about: "Packs programs whose names, or command lines with options, are whole texts in an application's own sources, if \
            one of the sources starts programs.",
    brings_packages: true,
    facts: &[On::Changed],
    on,
};

/// Maximum size of a source or of settings: larger ones are data. Maximum number of these files.
const MAX_SOURCE: u64 = 512 << 10;
const MAX_FILES: usize = 4096;
/// Maximum number of texts of a file that are looked up.
const MAX_TEXTS: usize = 4096;
/// Maximum number of bare names in a source that are taken for programs.
const MAX_BARE: usize = 8;
/// Maximum length of a text.
const MAX_TEXT: usize = 256;

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    if state.request.companions == Companions::None {
        return Ok(demands);
    }
    let root = state.world.root;
    let scripts = scripts(state);
    let has_database = state.world.database()?.is_some();
    let is_any = |path: &RootPath| scripts.contains(path) || is_source(path) || is_settings(path);
    let nodes = state.graph.nodes().iter().filter(|(_, node)| matches!(node, NodeKind::File(_)));
    let mut open = Vec::new();
    for (path, _) in nodes.filter(|(path, _)| is_any(path)).filter(|(path, _)| !state.is_done(RULE.id, &names_of(path)))
    {
        if state.world.owner(path)?.is_some() {
            demands.push(Demand::Done(names_of(path)));
        } else if scripts.contains(path) || is_source(path) || has_database || state.claims.cover(path) {
            open.push(path);
        }
        if open.len() > MAX_FILES {
            root.leave_unread(
                path,
                format!("names of programs in sources after the first {MAX_FILES} are not looked up"),
            );
            break;
        }
    }
    let mut starts = state.is_done(RULE.id, STARTS);
    let mut own = Vec::new();
    for path in open {
        let size = root.meta(path)?.map_or(0, |meta| meta.size);
        if size > MAX_SOURCE {
            demands.push(Demand::Done(names_of(path)));
            continue;
        }
        own.push(path);
        let signs = format!("{path} signs");
        if !starts && !is_settings(path) && !state.is_done(RULE.id, &signs) {
            demands.push(Demand::Done(signs));
            let text = root.read(path, usize::try_from(size).unwrap_or(0))?;
            if own_sources().signs.iter().any(|sign| memchr::memmem::find(&text, sign.as_bytes()).is_some()) {
                starts = true;
                demands.push(Demand::Done(STARTS.to_owned()));
            }
        }
    }
    for path in own.into_iter().filter(|_| starts) {
        demands.push(Demand::Done(names_of(path)));
        look(state, path, &mut demands)?;
    }
    Ok(demands)
}

/// The answer that a source starts programs.
const STARTS: &str = "starts programs";

fn names_of(path: &RootPath) -> String {
    format!("{path} names")
}

/// Scripts that are launched, whatever their names end with: those of languages with sources.
fn scripts(state: &State<'_>) -> BTreeSet<RootPath> {
    let is_read = |program: &RootPath| {
        let name = String::from_utf8_lossy(program.name()).into_owned();
        runs_language(&name) && !is_shell(&name)
    };
    let launches = state.launches.iter().map(|(_, launched)| launched);
    let read = launches.filter(|launched| !launched.scripts.is_empty() && launched.programs.iter().any(is_read));
    read.map(|launched| launched.real.clone()).collect()
}

fn is_of_library(path: &RootPath) -> bool {
    let parts = own_settings().packages.iter().chain(&own_sources().libraries);
    parts.into_iter().any(|part| memchr::memmem::find(path.as_bytes(), part.as_bytes()).is_some())
}

fn is_source(path: &RootPath) -> bool {
    own_sources().endings.end(path.name()) && !is_of_library(path)
}

fn is_settings(path: &RootPath) -> bool {
    own_settings().endings.iter().any(|ending| path.name().ends_with(ending.as_bytes())) && !is_of_library(path)
}

/// Adds the programs that a file names.
fn look(state: &State<'_>, path: &RootPath, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let size = state.world.root.meta(path)?.map_or(0, |meta| meta.size);
    let bytes = state.world.root.read(path, usize::try_from(size).unwrap_or(0))?;
    let text = String::from_utf8_lossy(&bytes);
    let settings = is_settings(path);
    let found = if settings { values(&text) } else { texts(&text) };
    let (mut bare, mut offers) = (BTreeSet::new(), BTreeSet::new());
    let mut starts: BTreeSet<(RootPath, &str)> = BTreeSet::new();
    for Text { text, evidence } in found {
        let line = command_line(text);
        let name = match line {
            Some(line) => line.split(' ').next().unwrap_or_default(),
            None if is_name(text) => text,
            None => continue,
        };
        // A path is looked up by other rules.
        if name.contains('/') {
            continue;
        }
        let Some(program) = program_in_path(state.world.root, path_of(&state.request.env), name)? else { continue };
        if state.is_excluded(&program) {
            continue;
        }
        let is_wordy = is_wordy(name);
        match (line, evidence) {
            _ if settings && !(line.is_none() && is_wordy) => _ = offers.insert(program),
            (Some(line), _) => _ = starts.insert((program, line)),
            (None, Evidence::Strong) => _ = starts.insert((program, "")),
            (None, Evidence::Weak) if is_wordy => {}
            (None, Evidence::Weak) => match state.world.is_elf(&program)? {
                true => _ = bare.insert(program),
                false => _ = offers.insert(program),
            },
            (None, Evidence::None) => {}
        }
    }
    if bare.len() > MAX_BARE {
        offers.append(&mut bare);
    }
    let shell = program_in_path(state.world.root, path_of(&state.request.env), crate::language::system_shell())?;
    let why = |program: &RootPath| format!("{path} contains the name {}", show(program.name()));
    let mut start = |program: &RootPath, why: String, words: Option<Vec<String>>| {
        let mut start = state.start_by(path, program, why, false);
        start.tells_missing = false;
        start.words = words.unwrap_or(start.words);
        demands.push(Demand::Start(start));
    };
    for (program, line) in &starts {
        match &shell {
            Some(shell) if !line.is_empty() && !line.contains(['{', '%', '#', '$', '\\']) => {
                start(shell, format!("{path} contains the command line `{line}`"), Some(shell_words(line)));
            }
            _ => start(program, why(program), None),
        }
    }
    for program in &bare {
        start(program, why(program), None);
    }
    for program in offers {
        let why = why(&program);
        demands.push(Demand::Report(Message::Offered { program, why }));
    }
    Ok(())
}

/// How much a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    /// It is a key, an index, or compared with something.
    None,
    /// It is an argument, a value or an item.
    Weak,
    /// An option follows it.
    Strong,
}

/// A whole text of a source.
#[derive(Debug, PartialEq, Eq)]
struct Text<'t> {
    text: &'t str,
    evidence: Evidence,
}

/// True for text that may be the name of a program.
fn is_name(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.+".contains(&b);
    text.len() > 1 && text.len() < 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(is_part)
}

/// The texts in quotes on one line, and those of lists of words (`qw(…)`, `%w[…]`).
fn texts(source: &str) -> Vec<Text<'_>> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() && found.len() < MAX_TEXTS {
        let byte = bytes[at];
        if matches!(byte, b'"' | b'\'' | b'`') {
            // Documentation in three quotes is passed over.
            let triple = [byte; 3];
            if byte != b'`' && bytes[at..].starts_with(&triple) {
                let end = memchr::memmem::find(&bytes[at + 3..], &triple);
                at = end.map_or(bytes.len(), |end| at + 3 + end + 3);
                continue;
            }
            let inner = &bytes[at + 1..bytes.len().min(at + 1 + MAX_TEXT)];
            let stop = inner.iter().position(|b| *b == byte || *b == b'\n');
            let Some(length) = stop.filter(|stop| inner[*stop] == byte) else {
                at += 1;
                continue;
            };
            let (start, end) = (at + 1, at + 1 + length);
            if let Some(text) = source.get(start..end).filter(|text| !text.is_empty()) {
                found.push(Text { text, evidence: evidence(&bytes[..at], &bytes[end + 1..]) });
            }
            at = end + 1;
            continue;
        }
        if matches!(byte, b'q' | b'%')
            && bytes.get(at + 1) == Some(&b'w')
            && let Some(text) = listed(source, at + 2)
        {
            found.push(text);
            at += 3;
            continue;
        }
        at += 1;
    }
    found
}

/// The first word of a list of words in brackets, if an option follows it.
fn listed(source: &str, at: usize) -> Option<Text<'_>> {
    let rest = source.get(at..)?;
    let rest = rest.get(..rest.char_indices().nth(MAX_TEXT).map_or(rest.len(), |(end, _)| end))?;
    let close = match rest.chars().next()? {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        '/' => '/',
        _ => return None,
    };
    let mut words = rest[1..].split(close).next()?.split_whitespace();
    let (text, option) = (words.next()?, words.next()?);
    option.starts_with('-').then_some(Text { text, evidence: Evidence::Strong })
}

/// What stands around a text tells what it is.
fn evidence(before: &[u8], after: &[u8]) -> Evidence {
    let window = |bytes: &[u8]| bytes[..bytes.len().min(40)].trim_ascii_start().to_vec();
    let after = window(after);
    let before = before[before.len().saturating_sub(40)..].trim_ascii_end();
    if let Some(next) = after.strip_prefix(b",") {
        let next = next.trim_ascii_start();
        let next = next.strip_prefix(b"[").map_or(next, |next| next.trim_ascii_start());
        if matches!(next, [b'"' | b'\'', b'-', ..]) {
            return Evidence::Strong;
        }
    }
    let is_key = after.starts_with(b":") || after.starts_with(b"=>");
    let is_compared = before.ends_with(b"==") || before.ends_with(b"!=") || after.starts_with(b"==");
    let opens = before.strip_suffix(b"[").and_then(|before| before.last());
    let is_index = after.starts_with(b"]") && opens.is_some_and(|b| b.is_ascii_alphanumeric() || b"_])".contains(b));
    match is_key || is_compared || is_index {
        true => Evidence::None,
        false => Evidence::Weak,
    }
}

/// The values of settings, in quotes or up to the end of the line.
fn values(text: &str) -> Vec<Text<'_>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';', '/', '*']));
    let parts = lines.flat_map(|line| line.split([',', '{', '}']));
    let texts = parts.map(|part| {
        let start = match part.find([':', '=']) {
            Some(at) => at + 1,
            None => part.find("- ").map_or(0, |at| at + 2),
        };
        part[start..].trim().trim_matches(['[', ']', '"', '\'']).trim()
    });
    let found = texts.filter(|text| !text.is_empty() && text.len() <= MAX_TEXT).take(MAX_TEXTS);
    found.map(|text| Text { text, evidence: Evidence::Weak }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_text_tells_what_it_is() {
        let of = |source: &'static str, wanted: &str| {
            texts(source).into_iter().find(|found| found.text == wanted).map(|found| found.evidence)
        };
        assert_eq!(of("T = {'q': lambda: ['tool', '-n', x]}", "tool"), Some(Evidence::Strong));
        assert_eq!(of("spawn('tool', ['-n'])", "tool"), Some(Evidence::Strong));
        assert_eq!(of("my @c = qw(tool -n 1);", "tool"), Some(Evidence::Strong));
        assert_eq!(of("T = %w[tool -n]", "tool"), Some(Evidence::Strong));
        assert_eq!(of("T = {'q': 'tool'}", "tool"), Some(Evidence::Weak));
        assert_eq!(of("T = {'tool': 1}", "tool"), Some(Evidence::None));
        assert_eq!(of("row['tool']", "tool"), Some(Evidence::None));
        assert_eq!(of("if x == 'tool':", "tool"), Some(Evidence::None));
        assert_eq!(of("\"\"\"Starts 'tool'.\"\"\"\nx = 1", "tool"), None);
        assert_eq!(of("# don't\nx = 'tool'", "tool"), Some(Evidence::Weak));
    }

    #[test]
    fn values_of_settings_are_read() {
        let found = |text: &'static str| values(text).into_iter().map(|one| one.text).collect::<Vec<_>>();
        assert_eq!(found("{\"a\": {\"name\": \"tool\"}}"), ["tool"]);
        assert_eq!(found("[x]\nname = tool\n# y = z\n"), ["x", "tool"]);
        assert_eq!(found("tools:\n  - tool\n  - cmd: 'other -x'\n"), ["tool", "other -x"]);
    }
}
