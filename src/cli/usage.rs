//! Errors in command lines. clap's tips are replaced if they would change the meaning: a word before `--` is usually
//! the program, and an option after `--` would be one of the program's.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Deserialize;

use crate::image_reader::transport_of;
use crate::profile::nearest;
use crate::world::tables::{Words, table};

/// Commands that take the program after `--`.
const WITH_PROGRAM: [&str; 2] = ["build", "why"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    option: Vec<Foreign>,
}

/// Options of other tools.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Foreign {
    names: Words,
    says: String,
}

table! {
    /// The options of other tools.
    fn options() -> Options = "options"
}

/// The error with better tips.
pub(super) fn advised(mut error: clap::Error, line: &[String]) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg).cloned() else { return error };
    let name = wrong.split('=').next().unwrap_or_default();
    // clap suggests options that have a few letters in common.
    if let Some(ContextValue::String(suggested)) = error.get(ContextKind::SuggestedArg)
        && nearest(bare(name), std::iter::once(bare(suggested))).is_none()
    {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
    }
    let is_ours = error.get(ContextKind::SuggestedArg).is_some();
    let foreign = || options().option.iter().flat_map(|row| row.names.iter());
    let known = nearest(bare(name), foreign().map(bare)).filter(|near| *near == bare(name) || !is_ours);
    let is_meant = |row: &&Foreign| known.is_some_and(|known| row.names.iter().any(|name| bare(name) == known));
    let tip = match options().option.iter().find(is_meant) {
        Some(row) => {
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Usage);
            Some(row.says.clone())
        }
        None if !wrong.starts_with('-') => {
            with_root(&wrong, line).or_else(|| with_program(&wrong, line)).or_else(|| without_arguments(&wrong, line))
        }
        None => None,
    };
    // `-- -t` would make the option the program's.
    error.remove(ContextKind::Suggested);
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// An option without its dashes.
fn bare(option: &str) -> &str {
    option.trim_start_matches('-')
}

/// Suggests a command line for a word that is an image or a directory.
fn with_root(word: &str, line: &[String]) -> Option<String> {
    let is_build = line.first().is_some_and(|command| command == WITH_PROGRAM[0]);
    let place = Path::new(word);
    if !is_build {
        return None;
    }
    if let Some(transport) = transport_of(place) {
        return Some(format!("to pack the program of an image: slimroot slim {transport}:{word}"));
    }
    if place.is_dir() {
        return Some(format!("to pack from a directory: slimroot build --root {word} -o DEST -- PROGRAM"));
    }
    let is_name = !place.exists() && word.contains(':');
    is_name.then(|| format!("to pack the program of an image: slimroot slim {word}"))
}

/// The command line with the program after `--`.
fn with_program(program: &str, line: &[String]) -> Option<String> {
    let command = line.iter().find(|word| WITH_PROGRAM.contains(&word.as_str()))?;
    let at = line.iter().position(|word| word == program)?;
    let (before, after) = (&line[..at], &line[at + 1..]);
    // Options after the program are slimroot's if it lacks them before.
    let is_ours = |word: &&String| word.starts_with("-o") || word.starts_with("--");
    let (ours, theirs) = match after.first().filter(is_ours) {
        Some(_) => (after, &[][..]),
        None => (&[][..], after),
    };
    let words: Vec<&str> = before.iter().chain(ours).map(String::as_str).filter(|word| *word != "--").collect();
    let program: Vec<&str> = std::iter::once(program).chain(theirs.iter().map(String::as_str)).collect();
    let shown = crate::text::shell_line(words.into_iter().chain(["--"]).chain(program))?;
    Some(format!("write the program after --: slimroot {shown}")).filter(|_| !command.is_empty())
}

/// Of a command line with arguments, `deps` takes the program.
fn without_arguments(wrong: &str, line: &[String]) -> Option<String> {
    let at = line.iter().position(|word| word == wrong).filter(|at| *at > 0)?;
    let shown = crate::text::shell_line(line[..at].iter().map(String::as_str))?;
    let is_deps = line.first().is_some_and(|command| command == "deps");
    is_deps.then(|| format!("write the program without its arguments: slimroot {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_the_program_are_left_out() {
        let tip = |line: &str, wrong: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            without_arguments(wrong, &words)
        };
        let says = "write the program without its arguments: slimroot deps --root r gunicorn";
        assert_eq!(tip("deps --root r gunicorn app:app -w", "app:app").as_deref(), Some(says));
        assert_eq!(tip("sbom a b", "b"), None);
    }

    #[test]
    fn the_program_goes_behind_the_options() {
        let tip = |line: &str, program: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            with_program(program, &words).unwrap_or_default()
        };
        let says = |line: &str| format!("write the program after --: slimroot {line}");
        assert_eq!(tip("build curl -o d", "curl"), says("build -o d -- curl"));
        assert_eq!(tip("build -o d nginx -g x", "nginx"), says("build -o d -- nginx -g x"));
        assert_eq!(tip("deps a b", "b"), "");
    }
}
