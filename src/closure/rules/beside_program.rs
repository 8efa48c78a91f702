//! Files that a compiled program or a jar opens by relative paths: data next to it and in its working directory. The
//! directory of a script belongs to its application. The directory of a compiled program may also contain its sources,
//! so only files whose names the program contains are packed, and the others are reported. If there are libraries next
//! to the program, the directory was made for shipping, and all of it is packed.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Host};
use crate::closure::launch::LaunchId;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language::{Certainty, Claim, Scope, is_leftover, is_program_dir, is_wide, runs_others};
use crate::path::{RootPath, show};
use crate::root::{FileKind, Root};
use crate::world::tables::system;

pub(super) const RULE: Rule = Rule {
    id: "beside-program",
    about: "Packs files next to a compiled program or jar without a package, or in its working directory, that it names; \
            the whole directory if it ships libraries.",
    brings_packages: true,
    facts: &[On::Launched, On::Held],
    on,
};

/// The group in the summary.
const GROUP: &str = "application";
/// Maximum number of files and directories that are looked for in the program.
const MAX_ENTRIES: usize = 1024;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    match fact {
        Fact::Launched(id) => {
            beside_jars(state, id, &mut demands)?;
            beside_compiled(state, id, &mut demands)?;
        }
        Fact::Held(at) => {
            let (jar, host) = &state.archives[at];
            for id in state.launches.of_process(*host) {
                beside_jar(state, id, jar, &mut demands)?;
            }
        }
        _ => {}
    }
    Ok(demands)
}

/// Files beside the compiled program of a launch.
fn beside_compiled(state: &State<'_>, id: LaunchId, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let launched = state.launches.get(id);
    let [program] = launched.programs.as_slice() else { return Ok(()) };
    let real = &launched.real;
    if !launched.scripts.is_empty()
        || launched.certainty < Certainty::Likely
        || runs_others(&String::from_utf8_lossy(program.name()))
        || state.world.owner(real)?.is_some()
    {
        return Ok(());
    }
    let mut own = BTreeSet::new();
    for dir in [program.parent(), real.parent()].into_iter().flatten() {
        let dir = if is_program_dir(&dir) { dir.parent() } else { Some(dir) };
        own.extend(dir.map(|dir| real_dir(state.world.root, &dir)).transpose()?.flatten());
    }
    own.retain(|dir| !is_wide(dir));
    for dir in own.clone() {
        if ships_libraries(state, &dir)? {
            let why = format!("{dir} contains {program} and libraries, so it is packed as a whole");
            demands.push(claim(id, dir.clone(), why));
            own.remove(&dir);
        }
    }
    let named = |names: &[&[u8]]| state.world.relative_names(real, names);
    add_files_beside(state, (id, real, program), &own, &named, demands)
}

/// Files beside the jars that a launch names. Spring Boot looks for its settings in both directories (Spring Boot
/// reference, "External Application Properties").
fn beside_jars(state: &State<'_>, id: LaunchId, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let launched = state.launches.get(id);
    for (jar, _) in state.archives.iter().filter(|(_, host)| launched.processes.contains(host)) {
        beside_jar(state, id, jar, demands)?;
    }
    Ok(())
}

fn beside_jar(state: &State<'_>, id: LaunchId, jar: &RootPath, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let Some(found) = state.embedded.of(state.world.root, jar)?.filter(|found| found.constants.is_of_java()) else {
        return Ok(());
    };
    if state.world.root.meta(jar)?.is_some_and(|meta| meta.kind == FileKind::Dir) {
        // What lies next to a directory of classes belongs to nobody: only the working directory counts.
        let names = |names: &[&[u8]]| Ok(found.constants.names(names));
        return match state.world.owner(jar)? {
            Some(_) => Ok(()),
            None => add_files_beside(state, (id, jar, jar), &BTreeSet::new(), &names, demands),
        };
    }
    let launch = &state.launches.get(id).launch;
    let is_it = |word: &String| {
        let followed = state.world.root.follow_from(&launch.cwd, word.as_bytes());
        followed.is_ok_and(|followed| followed.file().is_some_and(|(real, _)| real == jar))
    };
    if !launch.args.iter().any(is_it) || state.world.owner(jar)?.is_some() {
        return Ok(());
    }
    let own = jar.parent().filter(|dir| !is_wide(dir)).into_iter().collect();
    let names = |names: &[&[u8]]| Ok(found.constants.names(names));
    add_files_beside(state, (id, jar, jar), &own, &names, demands)
}

/// Finds the indexes of names that a program contains.
type Named<'n> = dyn Fn(&[&[u8]]) -> Result<BTreeSet<usize>, Error> + 'n;

/// Takes files that a program contains the names of, from its own directories and its working directory.
fn add_files_beside(
    state: &State<'_>,
    (launch, real, program): (LaunchId, &RootPath, &RootPath),
    own: &BTreeSet<RootPath>,
    names: &Named<'_>,
    demands: &mut Vec<Demand>,
) -> Result<(), Error> {
    for dir in own {
        add_named_files(state, (launch, real, program), (dir, "next to it"), names, demands)?;
    }
    let cwd = real_dir(state.world.root, &state.launches.get(launch).launch.cwd)?;
    if let Some(dir) = cwd.filter(|dir| !own.contains(dir) && (dir.is_root() || !system().system.cover(dir))) {
        add_named_files(state, (launch, real, program), (&dir, "in its working directory"), names, demands)?;
    }
    Ok(())
}

fn real_dir(root: &Root, dir: &RootPath) -> Result<Option<RootPath>, Error> {
    Ok(root.follow(dir.as_bytes())?.dir().cloned())
}

/// True if libraries lie directly in the directory, and it is not one of a build tool.
fn ships_libraries(state: &State<'_>, dir: &RootPath) -> Result<bool, Error> {
    let root = state.world.root;
    let mut above = Some(dir.clone());
    while let Some(dir) = above {
        if root.follow(dir.join(system().cache_mark.as_bytes()).as_bytes())?.found().is_some() {
            return Ok(false);
        }
        above = dir.parent();
    }
    for name in root.list(dir)?.iter().filter(|name| is_library(name)) {
        let path = dir.join(name);
        if root.meta(&path)?.is_some_and(|meta| meta.kind == FileKind::File) && state.world.is_elf(&path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True for the file name of a shared object.
pub(super) fn is_library(name: &[u8]) -> bool {
    name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.")
}

fn claim(launch: LaunchId, dir: RootPath, why: String) -> Demand {
    let without = Rc::new(|_: &Root, path: &RootPath| is_leftover(path) || system().is_source(path));
    Demand::Claim { launch, claim: Claim { dir, without, group: GROUP, why, scope: Scope::Plain } }
}

/// The files and directories in a directory that the program names.
fn add_named_files(
    state: &State<'_>,
    (launch, real, program): (LaunchId, &RootPath, &RootPath),
    (dir, place): (&RootPath, &str),
    relative_names: &Named<'_>,
    demands: &mut Vec<Demand>,
) -> Result<(), Error> {
    let root = state.world.root;
    let mut entries = Vec::new();
    for name in root.list(dir)?.iter() {
        let path = dir.join(name);
        let is_of_system = dir.is_root() && (system().shared.contain(&path) || system().kernel.contain(&path));
        if path == *real || is_leftover(&path) || system().is_source(&path) || is_of_system || state.is_excluded(&path)
        {
            continue;
        }
        if let Some((target, meta)) = root.follow(path.as_bytes())?.found() {
            let is_development = system().development.iter().any(|name| name.as_bytes() == path.name());
            let is_dir = meta.kind == FileKind::Dir;
            if (is_dir || meta.kind == FileKind::File) && target != real && !(is_dir && is_development) {
                entries.push((path, is_dir));
            }
        }
    }
    let (looked, rest) = entries.split_at(entries.len().min(MAX_ENTRIES));
    let names: Vec<&[u8]> = looked.iter().map(|(path, _)| path.name()).collect();
    let found = if names.is_empty() { BTreeSet::new() } else { relative_names(&names)? };
    let mut left: Vec<&RootPath> = Vec::new();
    for (at, (path, is_dir)) in looked.iter().enumerate() {
        let why = || format!("{program} contains the name {}, and {path} is {place}", show(path.name()));
        match (found.contains(&at), is_dir) {
            (false, _) => left.push(path),
            (true, true) => demands.push(claim(launch, path.clone(), why())),
            (true, false) => demands.push(Demand::Path {
                from: Some(real.clone()),
                cwd: RootPath::root(),
                path: path.as_bytes().to_vec(),
                reason: Arc::new(Reason::Home { group: GROUP, why: why() }),
                host: Host::None,
            }),
        }
    }
    left.extend(rest.iter().map(|(path, _)| path));
    // Other rules decide about files in directories of the system.
    if !left.is_empty() && !dir.is_root() && !system().system.cover(dir) {
        let (dir, left) = (dir.clone(), left.into_iter().cloned().collect());
        demands.push(Demand::Report(Message::Beside { program: real.clone(), dir, left }));
    }
    Ok(())
}
