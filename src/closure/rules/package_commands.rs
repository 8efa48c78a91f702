//! Other commands in a program's package that the program contains the name of, or that data of the package names.

use std::collections::{BTreeMap, BTreeSet};

use super::{On, Rule};
use crate::closure::Companions;
use crate::closure::demand::Demand;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::FileKind;
use crate::world::tables::system;

pub(super) const RULE: Rule = Rule {
    id: "package-commands",
    about: "Packs commands of a program's own package, and programs next to it, that the program or data of the package name.",
    brings_packages: true,
    facts: &[On::Launched],
    on,
};

/// Maximum size of a data file that is searched for names, and of all data together.
const MAX_DATA: u64 = 64 << 10;
const MAX_ALL_DATA: u64 = 4 << 20;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    let (world, root) = (&*state.world, state.world.root);
    let program = &state.launches.get(id).real;
    if state.request.companions == Companions::None
        || state.is_done(RULE.id, &program.to_string())
        || !world.starts_programs(program)?
    {
        return Ok(Vec::new());
    }
    let Some(package) = world.owner(program)? else { return Ok(Vec::new()) };
    let mut demands = vec![Demand::Done(program.to_string())];
    let contents = world.contents(&package)?;
    // Programs find others of their package next to themselves too, as initdb(1) finds postgres(1).
    let beside = program.parent().filter(|dir| system().helpers.cover(dir));
    let is_command = |path: &&RootPath| system().commands.cover(path) || path.parent() == beside && beside.is_some();
    let mut commands: BTreeMap<&[u8], &RootPath> = contents
        .iter()
        .filter(|path| is_command(path) && path.name() != program.name())
        .map(|path| (path.name(), path))
        .collect();
    commands.retain(|_, path| {
        let followed = root.follow(path.as_bytes()).ok();
        let mode = followed.and_then(|followed| followed.file().map(|(_, meta)| meta.mode));
        mode.is_some_and(|mode| mode & 0o111 != 0 || system().commands.cover(path))
    });
    if commands.is_empty() {
        return Ok(demands);
    }
    let names: Vec<&[u8]> = commands.keys().copied().collect();
    // The name alone, and at the beginning of a command line that printf(3) makes for system(3).
    let texts = |name: &&[u8]| [[b"\0", *name, b"\0"].concat(), [b"\0", *name, b" %"].concat()];
    let strings: Vec<Vec<u8>> = names.iter().flat_map(texts).collect();
    let found_texts = world.texts_in(program, &strings)?;
    let mut named: BTreeMap<&[u8], RootPath> =
        found_texts.into_iter().map(|at| (names[at / 2], program.clone())).collect();
    let mut left = MAX_ALL_DATA;
    for path in contents.iter().filter(|path| !is_command(path)) {
        let followed = root.follow(path.as_bytes())?;
        let Some((real, meta)) = followed.found() else { continue };
        if meta.kind != FileKind::File || meta.size > MAX_DATA || !state.graph.contains(real) {
            continue;
        }
        if meta.size > left {
            let says = format!("of the data of its package {package}, {MAX_ALL_DATA} bytes are searched for names");
            root.leave_unread(program, says);
            continue;
        }
        left -= meta.size;
        let text = root.read(real, usize::try_from(meta.size).unwrap_or(0))?;
        let words: BTreeSet<&[u8]> = text.split(u8::is_ascii_whitespace).collect();
        for (name, command) in commands.iter().filter(|(name, _)| words.contains(**name)) {
            // Require an ELF file: a word in data is weak evidence, and a script could pull in an interpreter.
            if !named.contains_key(name) && world.is_elf(command)? {
                named.insert(name, real.clone());
            }
        }
    }
    for (name, by) in named {
        let why = format!("{by} names {}, which is in the same package {package}", show(name));
        demands.push(Demand::Start(state.start_by(program, commands[name], why, false)));
    }
    Ok(demands)
}
