//! Settings in arguments: configuration files and statements.

use std::collections::BTreeSet;

use crate::closure::launch::Launched;
use crate::closure::state::State;
use crate::config::{self, Grammar, Statement};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::RootPath;
use crate::profile::{Profile, Read};

/// Configuration files named in arguments: `-c FILE`, `-cFILE`, `--config=FILE`. If the option has no name, the first
/// argument that is not an option.
pub(super) fn files(
    state: &State<'_>,
    profile: &Profile,
    read: &Read,
    certainty: Certainty,
) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    for option in &read.arguments {
        for (cwd, args) in of_command(state, profile, certainty)? {
            let all = if option.is_empty() { &args[..args.len().min(1)] } else { args };
            let mut words = all.iter();
            while let Some(word) = words.next() {
                let file = match word.strip_prefix(option.as_str()) {
                    Some(_) if option.is_empty() && word.starts_with('-') => None,
                    Some("") => words.next().map(String::as_str),
                    Some(rest) => Some(rest.strip_prefix('=').unwrap_or(rest)),
                    None => None,
                };
                let Some(file) = file else { continue };
                let followed = state.world.root.follow_from(cwd, file.as_bytes())?;
                found.extend(followed.found().map(|(real, _)| real.clone()));
            }
        }
    }
    Ok(found)
}

/// Statements in arguments: `-d extension=x`, `-c shared_preload_libraries=x`, `--plugin-load-add=x`, `--loadmodule x`.
/// Only those that the profile reads are returned.
pub(super) fn statements(state: &State<'_>, profile: &Profile, read: &Read) -> Result<Vec<Statement>, Error> {
    let mut said = Vec::new();
    for (_, args) in of_command(state, profile, Certainty::Likely)? {
        let statements = match read.grammar {
            Grammar::Keys => as_keys(args),
            Grammar::Lines => as_lines(args),
            _ => Vec::new(),
        };
        let named = statements.into_iter().filter(|statement| read.rules(statement).next().is_some());
        said.extend(named.map(|statement| Statement { line: 0, ..statement }));
    }
    Ok(said)
}

/// The arguments of the commands that trigger the profile, by their names or by texts in their objects; of all commands
/// if its triggers tell neither.
fn of_command<'s>(
    state: &'s State<'_>,
    profile: &Profile,
    certainty: Certainty,
) -> Result<Vec<(&'s RootPath, &'s [String])>, Error> {
    let names = profile.commands();
    let holders = if names.is_empty() { state.signs.holders(state, profile)? } else { BTreeSet::new() };
    let is_wanted = |launched: &Launched| match names.is_empty() {
        true => holders.is_empty() || runs(state, launched, &holders),
        false => launched.is_called(&names),
    };
    Ok(state.launches.arguments(certainty, is_wanted))
}

/// True for a launch that runs or loads one of these objects.
fn runs(state: &State<'_>, launched: &Launched, objects: &BTreeSet<RootPath>) -> bool {
    let loads = |id| state.processes.get(id).process.loaded.iter().any(|object| objects.contains(&object.real));
    objects.contains(&launched.real) || launched.processes.iter().any(|id| loads(*id))
}

/// `name=value`, as the value of any option.
fn as_keys(args: &[String]) -> Vec<Statement> {
    let words = args.iter().filter(|word| word.contains('='));
    let readings = words.flat_map(|word| {
        let short = word.strip_prefix("-d").or_else(|| word.strip_prefix("-c"));
        [Some(word.trim_start_matches('-')), short].into_iter().flatten()
    });
    let mut statements: Vec<Statement> =
        readings.flat_map(|text| config::parse(Grammar::Keys, text.as_bytes())).collect();
    // `--name value`
    for pair in args.windows(2) {
        if let Some(name) = pair[0].strip_prefix("--").filter(|name| !name.contains('='))
            && !pair[1].starts_with('-')
        {
            statements.extend(config::parse(Grammar::Keys, format!("{name}={}", pair[1]).as_bytes()));
        }
    }
    statements
}

/// `--directive word word`, up to the next option.
fn as_lines(args: &[String]) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    for word in args {
        match (word.strip_prefix("--"), statements.last_mut()) {
            (Some(name), _) => statements.push(Statement { name: name.to_owned(), ..Statement::default() }),
            (None, Some(open)) => open.words.push(word.clone()),
            (None, None) => {}
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_settings() {
        let shown = |statements: Vec<Statement>| {
            statements.iter().map(|one| format!("{} {}", one.name, one.words.join("|"))).collect::<Vec<_>>()
        };
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let lines = shown(as_lines(&args("/etc/x.conf --loadmodule /a.so b --port 1")));
        assert_eq!(lines, ["loadmodule /a.so|b", "port 1"]);
        let keys = shown(as_keys(&args("-c a=/b --plugin-load=x -dextension=y plain")));
        assert_eq!(keys, ["a /b", "plugin-load x", "dextension y", "extension y"]);
        assert_eq!(shown(as_keys(&args("--module app:x --flag --chdir /srv"))), ["module app:x", "chdir /srv"]);
    }
}
