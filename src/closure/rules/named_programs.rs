//! Programs that a program starts by a path or name that it contains. In packages only machine code counts, because a
//! script could pull in an interpreter on weak evidence.

use super::{On, Rule};
use crate::closure::demand::Demand;
use crate::closure::launch::Launched;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, path_of};
use crate::elf::ElfObject;
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::world::tables::{has_applets, helper, optional_feature, system};

pub(super) const RULE: Rule = Rule {
    id: "named-programs",
    about: "Packs programs whose paths an object contains that imports a function which starts programs.",
    brings_packages: true,
    facts: &[On::Required, On::Launched],
    on,
};

/// Permission bits of which one must be set for the kernel to execute a file.
const EXECUTABLE: u32 = 0o111;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let id = match fact {
        Fact::Required(id) => id,
        Fact::Launched(id) => return of_applet(state, state.launches.get(id)),
        _ => return Ok(Vec::new()),
    };
    let started = state.processes.get(id);
    if state.request.companions == Companions::None || started.program.is_some() {
        return Ok(Vec::new());
    }
    let program = &started.process.loaded[0].real;
    let own = state.world.owner(program)?;
    let mut demands = Vec::new();
    let objects: Vec<RootPath> = started.process.loaded.iter().map(|object| object.real.clone()).collect();
    let owners = state.world.owners(&objects)?;
    for (at, object) in started.process.loaded.iter().enumerate() {
        let owner = owners.get(&object.real).cloned();
        let is_same_source = at == 0 || state.is_same_source(own.as_ref(), owner.as_ref())?;
        let is_unpackaged = owner.is_none() && state.world.opens_libraries(&object.real)?;
        if is_same_source || is_unpackaged {
            by_path(state, &mut demands, &object.real)?;
        }
    }
    if let Some(package) = &own {
        by_name(state, &mut demands, program, package)?;
    }
    Ok(demands)
}

/// Programs whose paths are whole strings of an object.
fn by_path(state: &State<'_>, demands: &mut Vec<Demand>, object: &RootPath) -> Result<(), Error> {
    if state.is_done(RULE.id, &object.to_string()) || !state.world.starts_programs(object)? {
        return Ok(());
    }
    demands.push(Demand::Done(object.to_string()));
    for text in state.world.whole_paths(object)?.iter() {
        let Some(path) = RootPath::new(text) else { continue };
        if is_program(state, object, &path)? {
            if let Some(feature) = optional_feature(object.name(), path.name()) {
                let why = format!("{feature}, which {object} names");
                demands.push(Demand::Report(Message::Offered { program: path, why }));
                continue;
            }
            let why = format!("{object} contains its path and starts programs");
            demands.push(Demand::Start(state.start_by(object, &path, why, false)));
        }
    }
    Ok(())
}

/// True if an object that contains this path starts the file: executable machine code; and a script if neither file
/// belongs to a package, whose dependencies would cover it.
pub(super) fn is_program(state: &State<'_>, object: &RootPath, path: &RootPath) -> Result<bool, Error> {
    let (world, root) = (state.world.as_ref(), state.world.root);
    let followed = root.follow(path.as_bytes())?;
    let Some((real, meta)) = followed.file() else { return Ok(false) };
    if meta.mode & EXECUTABLE == 0 || state.is_excluded(path) {
        return Ok(false);
    }
    // A package puts a program for others there, such as a generator of the init system, which its own may start too.
    if system().not_run.cover(path) {
        let (own, owner) = (world.owner(object)?, world.owner(real)?);
        if own.is_none() || own != owner {
            return Ok(false);
        }
    }
    if world.is_elf(path)? {
        let read = world.objects.read(real)?;
        // Some libraries have the executable bit too.
        let is_library = |elf: &ElfObject| elf.interp.is_none() && !elf.is_static_program();
        return Ok(system().commands.cover(path) || read.elf.as_ref().is_ok_and(|elf| !is_library(elf)));
    }
    let is_script = root.head(real, 2)? == b"#!";
    Ok(is_script && world.owner(object)?.is_none() && world.owner(real)?.is_none())
}

/// Commands of other packages of the same source whose names the program contains.
fn by_name(state: &State<'_>, demands: &mut Vec<Demand>, object: &RootPath, package: &str) -> Result<(), Error> {
    let answer = format!("{object} by name");
    if state.is_done(RULE.id, &answer) || !state.world.starts_programs(object)? {
        return Ok(());
    }
    demands.push(Demand::Done(answer));
    for (path, owner) in named_kin(state, object, package)? {
        // The launch decides about the helper of an applet.
        if helper(object.name(), path.name()).is_none() {
            let why = format!("{object} names it, {owner} is built from the same source, and it starts programs");
            demands.push(Demand::Start(state.start_by(object, &path, why, false)));
        }
    }
    Ok(())
}

/// Helpers of the applet that a launch runs: as the name of the program, or as its first argument.
fn of_applet(state: &State<'_>, launched: &Launched) -> Result<Vec<Demand>, Error> {
    let object = &launched.real;
    if state.request.companions == Companions::None || !has_applets(object.name()) {
        return Ok(Vec::new());
    }
    let Some(package) = state.world.owner(object)? else { return Ok(Vec::new()) };
    let mut demands = Vec::new();
    for (path, owner) in named_kin(state, object, &package)? {
        let Some(row) = helper(object.name(), path.name()) else { continue };
        let first = launched.launch.args.first().map(String::as_bytes);
        let mut names = std::iter::once(launched.launch.program.name()).chain(first);
        if let Some(applet) = names.find(|name| row.applets.contain(name)) {
            let why = format!("its applet {} starts it, and {owner} is built from the same source", show(applet));
            demands.push(Demand::Start(state.start_by(object, &path, why, false)));
        }
    }
    Ok(demands)
}

/// Programs of other packages of the same source whose names an object contains, with their packages.
fn named_kin(state: &State<'_>, object: &RootPath, package: &str) -> Result<Vec<(RootPath, String)>, Error> {
    let Some(database) = state.world.database()? else { return Ok(Vec::new()) };
    let all = state.world.commands(path_of(&state.request.env))?;
    let is_same_source = |owner: &String| owner != package && database.is_same_source(package, owner);
    let others: Vec<(&RootPath, &String)> = all.iter().filter(|(_, owner)| is_same_source(owner)).collect();
    if others.is_empty() {
        return Ok(Vec::new());
    }
    let named = state.world.ends_of_strings(object, others.iter().map(|(path, _)| path.name()))?;
    let mut found = Vec::new();
    for (path, owner) in others.into_iter().filter(|(path, _)| named.contains(path.name())) {
        if !state.is_excluded(path) && state.world.is_elf(path)? {
            found.push((path.clone(), owner.clone()));
        }
    }
    Ok(found)
}
