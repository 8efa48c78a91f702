//! Parts of a program that its distribution has split into several packages built from one source: plug-ins, data,
//! settings, and helper scripts that the program or a library of its source starts.

use std::collections::BTreeSet;

use super::package_files::{companion, private_dir};
use super::package_scripts::helper;
use super::{On, Rule};
use crate::closure::Companions;
use crate::closure::demand::Demand;
use crate::closure::launch::LaunchId;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::path::RootPath;
use crate::world::tables::system;
use crate::world::{is_named_after, is_own_dir};

pub(super) const RULE: Rule = Rule {
    id: "same-source",
    about: "Packs plug-ins, data and settings from packages built from the same source as the package of a program.",
    brings_packages: false,
    facts: &[On::Launched],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    if state.request.companions == Companions::None {
        return Ok(Vec::new());
    }
    let program = &state.launches.get(id).real;
    let (Some(database), Some(owner)) = (state.world.database()?, state.world.owner(program)?) else {
        return Ok(Vec::new());
    };
    let answer = format!("{owner} {program}");
    if state.is_done(RULE.id, &answer) {
        return Ok(Vec::new());
    }
    let mut demands = vec![Demand::Done(answer)];
    let mut open = database.same_source_dependencies(&owner);
    let mut seen = BTreeSet::from([owner.clone()]);
    let objects = of_the_source(state, id, &owner)?;
    while let Some(package) = open.pop() {
        if !seen.insert(package.clone()) {
            continue;
        }
        open.extend(database.same_source_dependencies(&package));
        let contents = state.world.contents(&package)?;
        // Settings that the installation enables by links are in no list of files.
        for dir in contents.iter().filter(|dir| is_own_dir(dir, &owner) && is_own_dir(dir, &package)) {
            private_dir(state, &mut demands, (program, &package), dir)?;
        }
        for path in contents.iter() {
            if !is_command(path) && is_named_after(path, &owner) {
                let before = demands.len();
                companion(state, &mut demands, program, &package, path)?;
                let followed = state.world.root.follow(path.as_bytes())?;
                if let Some((real, _)) = followed.file().filter(|_| demands.len() > before) {
                    helper(state, &mut demands, &objects, &owner, (path, real))?;
                }
            }
        }
    }
    settings(state, &mut demands, program, &owner)?;
    Ok(demands)
}

/// The program of a launch, and the libraries of its source that it loads.
fn of_the_source(state: &State<'_>, id: LaunchId, owner: &String) -> Result<Vec<RootPath>, Error> {
    let processes = state.launches.get(id).processes.iter().map(|id| &state.processes.get(*id).process);
    let objects: Vec<RootPath> = processes.flat_map(|process| &process.loaded).map(|one| one.real.clone()).collect();
    let owners = state.world.owners(&objects)?;
    let mut found = Vec::new();
    for object in objects {
        if state.is_same_source(Some(owner), owners.get(&object))? {
            found.push(object);
        }
    }
    Ok(found)
}

/// Settings that packages of the same source install into a directory of /etc owned by the program's package, because
/// the program reads them there.
fn settings(state: &State<'_>, demands: &mut Vec<Demand>, program: &RootPath, package: &str) -> Result<(), Error> {
    let Some(database) = state.world.database()? else { return Ok(()) };
    let is_settings = |dir: &&RootPath| {
        let is_there = dir.parent().is_some_and(|parent| parent.as_bytes() == b"/etc");
        is_there && !is_own_dir(dir, package) && !system().not_run.cover(dir)
    };
    let mut below = Vec::new();
    for dir in state.world.contents(package)?.iter().filter(is_settings) {
        below.extend(state.world.root.below(dir)?);
    }
    for (path, other) in state.world.owners(&below)? {
        if other != package && database.is_same_source(package, &other) {
            companion(state, demands, program, &other, &path)?;
        }
    }
    Ok(())
}

/// True in a directory of commands, including private ones; commands of another package are not packed.
fn is_command(path: &RootPath) -> bool {
    path.parent().is_some_and(|dir| matches!(dir.name(), b"bin" | b"sbin"))
}
