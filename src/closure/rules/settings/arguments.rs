//! Settings in arguments: configuration files and statements.

use std::collections::BTreeSet;

use crate::closure::launch::Launched;
use crate::closure::state::State;
use crate::config::{self, Grammar, Statement};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::RootPath;
use crate::profile::{Profile, Read};

/// Stands for all arguments that are not options.
const EACH: &str = "*";

/// Configuration files named in arguments: `-c FILE`, `-cFILE`, `--config=FILE`. If the option has no name, the first
/// argument if it is not an option; if it is `*`, all arguments that are not.
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
                    _ if option == EACH => Some(word.as_str()).filter(|word| !word.starts_with('-')),
                    Some(_) if option.is_empty() && word.starts_with('-') => None,
                    Some("") => words.next().map(String::as_str),
                    Some(rest) => Some(rest.strip_prefix('=').unwrap_or(rest)),
                    None => None,
                };
                let Some(file) = file else { continue };
                // A section of the file may follow a colon.
                for file in [Some(file), file.split_once(':').map(|(file, _)| file)].into_iter().flatten() {
                    let followed = state.world.root.follow_from(cwd, file.as_bytes())?;
                    if let Some((real, _)) = followed.found() {
                        found.push(real.clone());
                        break;
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Statements in arguments: `-d extension=x`, `-c shared_preload_libraries=x`, `--plugin-load-add=x`, `--loadmodule x`.
/// Only those that the profile reads are returned.
pub(super) fn statements(state: &State<'_>, profile: &Profile, read: &Read) -> Result<Vec<Statement>, Error> {
    let mut said = in_variables(state, read);
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

/// Statements in the variables of the image, if the profile says how their names begin: `UWSGI_PLUGINS_DIR=x`.
fn in_variables(state: &State<'_>, read: &Read) -> Vec<Statement> {
    let Some(prefix) = &read.variables else { return Vec::new() };
    let named = state.env.iter().chain(&state.request.env).filter_map(|(name, value)| {
        let name = name.strip_prefix(prefix.as_str())?.to_ascii_lowercase().replace('_', "-");
        config::parse(Grammar::Keys, format!("{name}={value}").as_bytes()).pop()
    });
    named.filter(|statement| read.rules(statement).next().is_some()).map(|one| Statement { line: 0, ..one }).collect()
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
    // `config section.name value`
    for pair in args.windows(2) {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !pair[0].starts_with('-')
            && let Some((_, name)) = pair[0].rsplit_once('.').filter(|_| pair[0].split('.').all(is_part))
        {
            statements.extend(config::parse(Grammar::Keys, format!("{name}={}", pair[1]).as_bytes()));
        }
    }
    statements
}

/// `--directive word word`, up to the next option.
fn as_lines(args: &[String]) -> Vec<Statement> {
    let mut statements: Vec<Statement> = Vec::new();
    // `-o Name=value`, which ends no other option.
    let valued = args.windows(2).filter(|pair| pair[0] == "-o").map(|pair| pair[1].as_str());
    for text in valued.chain(args.iter().filter_map(|word| word.strip_prefix("-o").filter(|text| text.contains('=')))) {
        statements.extend(config::parse(Grammar::Lines, text.replacen('=', " ", 1).as_bytes()));
    }
    // Words before the first option belong to none.
    statements.push(Statement::default());
    for word in args {
        match (word.strip_prefix("--"), statements.last_mut()) {
            (Some(name), _) => statements.push(Statement { name: name.to_owned(), ..Statement::default() }),
            (None, Some(open)) => open.words.push(word.clone()),
            (None, None) => {}
        }
    }
    statements.retain(|statement| !statement.name.is_empty());
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
