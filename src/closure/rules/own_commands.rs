//! Commands in an application's own machine code: texts that are command lines for a shell, and bare names of programs
//! in texts with a length, as Go and Rust have them. Packages have other rules, because their dependencies say more.

use super::{On, Rule};
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, path_of};
use crate::error::Error;
use crate::language::{Certainty, is_word, runs_others, system_shell};
use crate::path::RootPath;
use crate::world::program_in_path;
use crate::world::tables::{imports, optional_feature, own_sources};

pub(super) const RULE: Rule = Rule {
    id: "own-commands",
    about: "Packs what the command lines in an application's own machine code start, and programs whose bare names are \
            texts of it, in Go and Rust too.",
    brings_packages: true,
    facts: &[On::Required],
    on,
};

/// Maximum number of bare names that are taken for commands, and of command lines that are read.
const MAX_BARE: usize = 8;
const MAX_LINES: usize = 64;

/// Minimum length of a bare name in a static program that is taken for a command.
const MIN_STATIC: usize = 3;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Required(id) = fact else { return Ok(Vec::new()) };
    let started = state.processes.get(id);
    if state.request.companions == Companions::None
        || started.program.is_some()
        || started.certainty < Certainty::Likely
    {
        return Ok(Vec::new());
    }
    let mut demands = Vec::new();
    for (at, object) in started.process.loaded.iter().enumerate() {
        let object = &object.real;
        let is_own = state.world.owner(object)?.is_none() && (at == 0 || state.world.starts_programs(object)?);
        if !is_own
            || state.is_done(RULE.id, &object.to_string())
            || runs_others(&String::from_utf8_lossy(object.name()))
        {
            continue;
        }
        demands.push(Demand::Done(object.to_string()));
        let starts = state.world.starts_programs(object)?
            || at == 0 && !state.world.texts_in(object, &imports().starts_texts)?.is_empty();
        if starts {
            read(state, object, at == 0, &mut demands)?;
        }
    }
    Ok(demands)
}

fn read(state: &State<'_>, object: &RootPath, is_program: bool, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let (root, path) = (state.world.root, path_of(&state.request.env));
    let shell = program_in_path(root, path, system_shell())?;
    let (mut lines, mut names, mut offers) = (Vec::new(), Vec::new(), Vec::new());
    // Names of programs that are more often words, or any bytes among the constants of a libc.
    let mut words = Vec::new();
    let read = state.world.objects.read(object)?;
    let has_libc = read.elf.as_ref().is_ok_and(|elf| elf.is_static_program()) && state.world.starts_programs(object)?;
    let is_chance = |name: &str| has_libc && (name.len() < MIN_STATIC || own_sources().words.contain(name));
    let texts = state.world.machine_texts(object)?;
    for text in texts.iter() {
        let Some(line) = line(text) else {
            if is_program && is_name(text) {
                let program = program_in_path(root, path, text)?.filter(|path| !state.is_excluded(path));
                match text.starts_with('/') || !is_word(text.as_bytes()) && !is_chance(text) {
                    true => names.extend(program),
                    false => words.extend(program),
                }
            }
            continue;
        };
        let first = line.first.rsplit('/').next().unwrap_or_default();
        let program = match line.is_builtin {
            true => shell.clone(),
            false => program_in_path(root, path, line.first)?.filter(|path| !state.is_excluded(path)),
        };
        let Some(program) = program else { continue };
        if let Some(feature) = optional_feature(object.name(), program.name()) {
            offers.push((program, format!("{feature}, which {object} names")));
            continue;
        }
        match line.is_strong && shell.is_some() && lines.len() < MAX_LINES {
            true => lines.push(text),
            false if is_word(first.as_bytes()) => {}
            false => offers.push((program, format!("{object} contains the text `{text}` and starts programs"))),
        }
    }
    let why = |what: &str| format!("{object} contains {what} and starts programs");
    for text in lines {
        let Some(shell) = &shell else { break };
        let mut start = state.start_by(object, shell, why(&format!("the command line `{}`", text.trim())), false);
        start.words.extend(["-c".to_owned(), text.clone()]);
        start.tells_missing = false;
        demands.push(Demand::Start(start));
    }
    if words.len() <= MAX_BARE {
        offers.extend(words.into_iter().map(|program| {
            let why = why(&format!("the word {program}, which may be its name,"));
            (program, why)
        }));
    }
    let is_few = names.len() <= MAX_BARE;
    for program in names {
        let feature = optional_feature(object.name(), program.name());
        let why =
            feature.map_or_else(|| why(&format!("the name {program}")), |one| format!("{one}, which {object} names"));
        demands.push(match is_few && feature.is_none() {
            true => Demand::Start(state.start_by(object, &program, why, false)),
            false => Demand::Report(Message::Offered { program, why }),
        });
    }
    let offers = offers.into_iter().map(|(program, why)| Demand::Report(Message::Offered { program, why }));
    demands.extend(offers);
    Ok(())
}

/// A text that may be a command line.
#[derive(Debug, PartialEq, Eq)]
struct Line<'t> {
    first: &'t str,
    is_builtin: bool,
    /// It has an operator of the shell, an option, or an argument in quotes.
    is_strong: bool,
}

/// True for text that may be the name of a program.
fn is_name(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || b"-_.+/".contains(&b);
    text.len() > 1 && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '/') && text.bytes().all(is_part)
}

/// The text as a command line; `None` for a sentence or a usage.
fn line(text: &str) -> Option<Line<'_>> {
    let text = text.trim();
    let mut words = text.split_whitespace();
    let is_assignment = |word: &str| word.split_once('=').is_some_and(|(name, _)| is_variable(name));
    let first = words.find(|word| *word != "exec" && !is_assignment(word))?;
    let rest: Vec<&str> = words.collect();
    let is_builtin = imports().begins_lines.contain(first);
    if rest.is_empty() || !is_builtin && !is_name(first) || text.contains("...") || is_usage(text) {
        return None;
    }
    let is_operator =
        |word: &&str| matches!(*word, "|" | "&&" | "||" | ">" | ">>" | "<" | "2>&1" | ">/dev/null" | "2>/dev/null");
    let has_operator = rest.iter().any(is_operator) || rest.iter().any(|word| word.ends_with(';'));
    // Words of a sentence stand outside of quotes and follow no option.
    let is_plain = |word: &&&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let before_quotes = || rest.iter().take_while(|word| !word.starts_with(['\'', '"']));
    let plain = before_quotes().filter(is_plain).count();
    let has_quotes = rest.iter().any(|word| word.starts_with(['\'', '"'])) && plain <= 1;
    let is_option = |word: &&str| word.len() > 1 && word.starts_with('-') && word.as_bytes()[1].is_ascii_alphanumeric();
    let has_option =
        is_option(&rest[0]) || rest[0].starts_with("--") || plain <= 1 && rest.iter().skip(1).take(1).any(is_option);
    let ends_clause = |word: &&str| {
        let inner = word.trim_end_matches([':', ',', '.']);
        inner.len() > 1 && inner.len() < word.len() && inner.bytes().all(|b| b.is_ascii_alphabetic())
    };
    let is_sentence = !has_operator && rest.iter().any(ends_clause);
    let has_value = rest.iter().any(|word| word.contains(['/', '%', '$'])) && plain <= 1;
    if is_sentence || is_builtin && !has_operator {
        return None;
    }
    let is_strong = has_operator || has_quotes || has_option;
    (is_strong || has_value).then_some(Line { first, is_builtin, is_strong })
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// `[OPTION]`, `<file>` and `a|b` are parts of a usage message.
fn is_usage(text: &str) -> bool {
    let opens = |sign: char| {
        text.match_indices(sign).any(|(at, _)| {
            let after = text[at + 1..].chars().next();
            after.is_some_and(|c| c.is_ascii_alphabetic() || c == '-')
        })
    };
    let has_bar = text.split('|').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-'));
    opens('<') || text.contains(" [-") || text.contains(" [O") || text.contains(" [<") || has_bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_told_from_sentences() {
        for text in [
            "gawk 'BEGIN{print 2}' | sort",
            "sqlite3 :memory: \"select 5\"",
            "cd /app && exec ./inner.py",
            "convert -size 2x2 xc:red /tmp/a && ls /tmp",
            "openssl list -providers && openssl dgst x",
            "zstd -V 2>&1",
            "LC_ALL=C exec /usr/bin/tool --all %s > /tmp/x",
            "gzip -dc < %s",
        ] {
            assert!(line(text).is_some_and(|line| line.is_strong), "{text}");
        }
        for text in ["tool %s", "git clone %s", "tool /etc/x"] {
            assert!(line(text).is_some_and(|line| !line.is_strong), "{text}");
        }
        for text in [
            "tool",
            "cannot open %s: no such file",
            "python not found",
            "tar [OPTION] <file>",
            "tool --a|--b",
            "cd into it",
            "usage: tool -x",
            "the tool, which is -x",
            "sort the lines of it by -k",
            "error: can't open 'x'",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }
}
