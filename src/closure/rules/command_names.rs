//! Programs that machine code starts by a bare name. A word in a program is weak evidence, because most words that are
//! names of programs mean something else. The evidence is strong if a whole string is a command line with options, or
//! if the package of the program depends on the package of the command or recommends it.

use std::collections::{BTreeMap, BTreeSet};

use super::{On, Rule};
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, path_of};
use crate::error::Error;
use crate::language::{Certainty, is_word, runs_others};
use crate::path::{RootPath, show};
use crate::world::program_in_path;
use crate::world::tables::{has_applets, optional_feature};

pub(super) const RULE: Rule = Rule {
    id: "command-names",
    about: "Packs programs that machine code starts by name: command lines with options in it, and commands of packages \
            that its package depends on or recommends.",
    brings_packages: true,
    facts: &[On::Required],
    on,
};

/// Maximum number of bare names in a program that are taken for commands.
const MAX_BARE: usize = 8;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Required(id) = fact else { return Ok(Vec::new()) };
    let started = state.processes.get(id);
    if state.request.companions == Companions::None
        || started.program.is_some()
        || started.certainty < Certainty::Likely
    {
        return Ok(Vec::new());
    }
    let program = &started.process.loaded[0].real;
    let own = state.world.owner(program)?;
    let objects: Vec<RootPath> = started.process.loaded.iter().map(|object| object.real.clone()).collect();
    let owners = state.world.owners(&objects)?;
    let mut demands = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        let is_own = match (&own, owners.get(object)) {
            (None, None) => state.world.opens_libraries(object)?,
            (own, owner) => state.is_same_source(own.as_ref(), owner)?,
        };
        let is_one = !has_applets(object.name());
        if is_one
            && (at == 0 || is_own)
            && !state.is_done(RULE.id, &object.to_string())
            && state.world.starts_programs(object)?
        {
            demands.push(Demand::Done(object.to_string()));
            let named = contained_commands(state, object, own.as_deref())?;
            if at == 0 && started.certainty == Certainty::Sure {
                demands.extend(unnamed(state, object, own.as_deref(), &named)?);
            }
            if at == 0
                && own.is_none()
                && state.world.starts_by_wide_names(object)?
                && !runs_others(&String::from_utf8_lossy(object.name()))
            {
                bare(state, object, &mut demands)?;
            }
            for (name, why) in named {
                if let Some(path) = program_in_path(state.world.root, path_of(&state.request.env), &name)?
                    && !state.is_excluded(&path)
                {
                    if let Some(feature) = optional_feature(object.name(), path.name()) {
                        let why = format!("{feature}, which {object} names");
                        demands.push(Demand::Report(Message::Offered { program: path, why }));
                        continue;
                    }
                    demands.push(Demand::Start(state.start_by(object, &path, why, false)));
                }
            }
        }
    }
    Ok(demands)
}

/// Commands of packages that the package of a program depends on although the program names none of them: a compiler
/// keeps a short name in the code instead of the data. They are reported, unless the package's own scripts use them.
fn unnamed(
    state: &State<'_>,
    program: &RootPath,
    package: Option<&str>,
    named: &BTreeMap<String, String>,
) -> Result<Vec<Demand>, Error> {
    let (Some(package), Some(database)) = (package, state.world.database()?) else { return Ok(Vec::new()) };
    let commands = state.world.commands(path_of(&state.request.env))?;
    let mut theirs: BTreeMap<&String, Vec<&RootPath>> = BTreeMap::new();
    for (path, owner) in commands.iter() {
        theirs.entry(owner).or_default().push(path);
    }
    let scripts = database.scripts(package)?;
    let is_used = |name: &[u8]| memchr::memmem::find(&scripts, name).is_some();
    let mut demands = Vec::new();
    for (owner, paths) in theirs {
        let is_known = |path: &&RootPath| named.contains_key(&*show(path.name())) || is_used(path.name());
        if owner == package
            || !database.depends(package, owner)
            || database.is_same_source(package, owner)
            || paths.iter().any(is_known)
        {
            continue;
        }
        // If the package has many commands, use the one with the name of the package, if any.
        let only = paths.first().filter(|_| paths.len() == 1);
        let first = paths.iter().find(|path| path.name() == owner.as_bytes()).or(only);
        let why = format!("the package {package} depends on {owner}, and {program} starts programs");
        demands.extend(first.map(|path| Demand::Report(Message::Offered { program: (*path).clone(), why })));
    }
    Ok(demands)
}

/// The commands whose bare names are whole strings in UTF-16 of a program without a package, for `QProcess::start`. If
/// there are many, they are only reported, because most are then ordinary words.
fn bare(state: &State<'_>, program: &RootPath, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let commands = state.world.commands(path_of(&state.request.env))?;
    let names = commands.keys().map(RootPath::name).filter(|name| name.len() > 1 && !is_word(name));
    let names: Vec<&[u8]> = names.collect();
    let found_names = state.world.wide_strings(program, &names)?;
    for name in &found_names {
        let found = program_in_path(state.world.root, path_of(&state.request.env), &show(name))?;
        let Some(path) = found.filter(|path| !state.is_excluded(path)) else { continue };
        let why = format!("{program} contains the name {} and starts programs", show(name));
        demands.push(match found_names.len() > MAX_BARE {
            true => Demand::Report(Message::Offered { program: path, why }),
            false => Demand::Start(state.start_by(program, &path, why, false)),
        });
    }
    Ok(())
}

/// The commands whose names an object contains, each with the reason.
fn contained_commands(
    state: &State<'_>,
    object: &RootPath,
    package: Option<&str>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for line in state.world.command_lines(object)?.iter() {
        for name in line.split(" | ").filter_map(|part| part.split_whitespace().next()) {
            let why = format!("{object} contains the command line `{}` and starts programs", show(line.as_bytes()));
            found.entry(name.to_owned()).or_insert(why);
        }
    }
    let (Some(package), Some(database)) = (package, state.world.database()?) else { return Ok(found) };
    let commands = state.world.commands(path_of(&state.request.env))?;
    let owners: BTreeSet<&String> = commands.values().filter(|owner| *owner != package).collect();
    let owners: BTreeSet<&String> = owners.into_iter().filter(|owner| database.wants(package, owner)).collect();
    let wanted: Vec<(&RootPath, &String)> = commands.iter().filter(|(_, owner)| owners.contains(owner)).collect();
    let names = wanted.iter().map(|(path, _)| path.name());
    let found_names = state.world.strings_or_their_ends(object, names)?;
    for (path, owner) in wanted.into_iter().filter(|(path, _)| found_names.contains(path.name())) {
        // A script could pull in an interpreter: a dependency is also what scripts of the package manager need.
        if !state.world.is_elf(path)? {
            continue;
        }
        let name = show(path.name()).into_owned();
        let why = format!(
            "{object} names it and starts programs, and the package {package} depends on {owner} or \
                           recommends it"
        );
        found.entry(name).or_insert(why);
    }
    Ok(found)
}
