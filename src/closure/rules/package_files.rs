//! Files of a program's or library's package that it needs at run time: helpers, plug-ins, data, configuration, and the
//! directories it writes to. Documentation and the other commands of the package stay out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{On, Rule, find};
use crate::closure::demand::{Demand, Host};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, NodeKind, Reason};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::RootPath;
use crate::root::FileKind;
use crate::world::tables::system;
use crate::world::{is_library_dir, is_own_dir};

pub(super) const RULE: Rule = Rule {
    id: "package-files",
    about: "Packs helpers, plug-ins, data and configuration from the packages of programs and libraries (--companions).",
    brings_packages: false,
    facts: &[On::Changed, On::Brought],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    match fact {
        Fact::Brought(at) => {
            let (package, object) = &state.brought[at];
            files(state, package, object)
        }
        _ => packages(state),
    }
}

/// The packages of objects that run.
fn packages(state: &State<'_>) -> Result<Vec<Demand>, Error> {
    if state.request.companions == Companions::None {
        return Ok(Vec::new());
    }
    let Some(database) = state.world.database()? else { return Ok(Vec::new()) };
    let mut demands = vec![Demand::Asked];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let asking = asking(state);
    let owners = state.world.owners(&asking)?;
    for object in asking {
        let Some(owner) = owners.get(&object).cloned() else { continue };
        // A package that was handled, and its other half, need not be handled again.
        if state.brought_names.contains(&owner) || seen.contains(&owner) {
            continue;
        }
        for package in database.arch_all_parts(&owner).into_iter().chain([owner]) {
            if !state.brought_names.contains(&package) && seen.insert(package.clone()) {
                demands.push(Demand::Bring { package, object: object.clone() });
            }
        }
    }
    Ok(demands)
}

/// Objects whose packages are packed too, from launches and processes that are new or have changed: programs first,
/// then the libraries that they load.
fn asking(state: &State<'_>) -> Vec<RootPath> {
    let is_all = state.request.companions == Companions::All;
    let counts = |certainty| is_all || certainty == Certainty::Sure;
    let launched = state.unasked.launches.iter().map(|id| state.launches.get(*id));
    let launched = launched.filter(|launched| counts(launched.certainty));
    let programs: BTreeSet<RootPath> = launched.map(|launched| launched.real.clone()).collect();
    let mut libraries = BTreeSet::new();
    for started in state.unasked.processes.iter().map(|id| state.processes.get(*id)).filter(|_| is_all) {
        let is_asking = started.program.is_none() && started.required
            || started.rules.iter().any(|rule| find(rule).is_some_and(|rule| rule.brings_packages));
        if is_asking {
            libraries.extend(started.own_objects().iter().map(|object| object.real.clone()));
        }
    }
    let libraries = libraries.into_iter().filter(|object| !programs.contains(object)).collect::<Vec<_>>();
    programs.iter().cloned().chain(libraries).collect()
}

/// The files of a package.
fn files(state: &State<'_>, package: &str, object: &RootPath) -> Result<Vec<Demand>, Error> {
    let contents = state.world.contents(package)?;
    let mut demands = Vec::new();
    for path in contents.iter() {
        companion(state, &mut demands, object, package, path)?;
    }
    for dir in contents.iter() {
        private_dir(state, &mut demands, (object, package), dir)?;
    }
    Ok(demands)
}

/// Adds a private directory of the package, such as that of its plug-ins, settings or data. Files created in it by the
/// installation or the user belong to it too, although no file list contains them.
pub(super) fn private_dir(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    (object, package): (&RootPath, &str),
    dir: &RootPath,
) -> Result<(), Error> {
    let root = state.world.root;
    let is_plugins = dir.parent().is_some_and(|parent| is_library_dir(&parent)) && !is_library_dir(dir);
    if !is_plugins && !is_own_dir(dir, package) {
        return Ok(());
    }
    let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { return Ok(()) };
    let below = root.below(&real)?;
    let theirs = if is_plugins { BTreeMap::new() } else { of_others(state, package, &below)? };
    for path in below.iter().filter(|path| !theirs.contains_key(*path)) {
        // A file that is not readable for all users is usually a key or password.
        let is_open = root.meta(path)?.is_some_and(|meta| meta.kind == FileKind::Dir || meta.is_for_all());
        if is_plugins || is_open {
            companion(state, demands, object, package, path)?;
        }
    }
    Ok(())
}

/// Files owned by packages of other sources: several packages may share a directory that has the name of one.
fn of_others(state: &State<'_>, package: &str, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
    let Some(database) = state.world.database()? else { return Ok(BTreeMap::new()) };
    let mut owners = state.world.owners(paths)?;
    owners.retain(|_, owner| !database.is_same_source(package, owner));
    Ok(owners)
}

/// Adds one file of a package, unless another rule decides about it: libraries in shared directories are packed only as
/// dependencies, claimed directories by their owner, and a profile's files by the profile.
pub(super) fn companion(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    object: &RootPath,
    package: &str,
    path: &RootPath,
) -> Result<(), Error> {
    let is_out = is_not_run(path, package)
        || system().commands.cover(path)
        || path.parent().is_some_and(|parent| is_library_dir(&parent))
        || state.claims.cover(path)
        || state.is_known_to_a_profile(path)
        || state.is_excluded(path);
    if is_out { Ok(()) } else { bring(state, demands, Some(object), package, path) }
}

/// True for files that nothing reads at run time, and for add-ons of other programs.
pub(super) fn is_not_run(path: &RootPath, package: &str) -> bool {
    let table = system();
    let endings = || table.not_run_endings.iter().any(|end| path.name().ends_with(end.as_bytes()));
    let is_add_on = || {
        let place = table.add_ons.iter().find(|dir| RootPath::new(dir).is_some_and(|dir| path.is_within(&dir)));
        place.and_then(|dir| dir.rsplit('/').next()).is_some_and(|program| !package.starts_with(program))
    };
    table.not_run.cover(path) || is_add_on() || endings()
}

/// Adds one file of a package with its dependencies.
pub(super) fn bring(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    object: Option<&RootPath>,
    package: &str,
    path: &RootPath,
) -> Result<(), Error> {
    let root = state.world.root;
    let reason = Reason::Companion { package: package.to_owned() };
    let followed = root.follow(path.as_bytes())?;
    let is_var = path.as_bytes().starts_with(b"/var/") || path.as_bytes() == b"/var";
    match followed.found().map(|(real, meta)| (real.clone(), meta.kind)) {
        // Directories are added with their contents. An empty directory is always added, because the program lists it
        // or the user fills it; so is one in /var, which the program fills.
        Some((real, FileKind::Dir)) if !is_var && !root.list(&real)?.is_empty() => {}
        Some(_) => {
            let host = object.map_or(Host::Main, |object| Host::With(object.clone()));
            let (from, cwd, path) = (object.cloned(), RootPath::root(), path.as_bytes().to_vec());
            demands.push(Demand::Path { from, cwd, path, reason: Arc::new(reason), host });
        }
        None => {
            // Either a symlink whose target the user created elsewhere, or a file deleted after the installation.
            if let Some(hop) = followed.hops.last()
                && let Some(meta) = root.meta(&hop.link)?
            {
                let (link, kind) = (hop.link.clone(), NodeKind::Link(Box::new(meta), hop.text.as_slice().into()));
                demands.push(Demand::Link { from: object.cloned(), link, kind, reason });
            }
        }
    }
    Ok(())
}
