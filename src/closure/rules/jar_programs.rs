//! Programs that Java code starts. Its classes name them in string constants, but a jar has many strings that happen to
//! be names of programs. Strong evidence is a path, a command line with options, and a command of a package that the
//! package of the jar depends on or recommends. Other names count if the class that contains them starts programs: a few
//! in a jar of the user are packed, and those of a package are reported.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::named_programs::is_program;
use super::{On, Rule, own_settings, source_data};
use crate::closure::demand::{Demand, Host, Start};
use crate::closure::message::Message;
use crate::closure::process::ProcessId;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, Reason, path_of};
use crate::embedded::Constants;
use crate::error::Error;
use crate::language::{is_word, manifest_files};
use crate::path::{RootPath, show};
use crate::root::FileKind;
use crate::world::tables::own_sources;
use crate::world::{command_line, program_in_path};

pub(super) const RULE: Rule = Rule {
    id: "jar-programs",
    about: "Packs jars that the manifest of a jar names, and, for jars and directories of classes, files whose paths the \
            user's classes contain, and programs whose paths or command lines classes contain if one starts programs.",
    brings_packages: true,
    facts: &[On::Held],
    on,
};

/// Maximum number of bare names in a jar that are taken for commands.
const MAX_BARE: usize = 8;
/// The group of jars in the summary.
const CLASS_PATH: &str = "application";

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    let Fact::Held(at) = fact else { return Ok(demands) };
    let (jar, host) = &state.archives[at];
    let found = state.embedded.of(state.world.root, jar)?;
    if found.as_ref().is_some_and(|found| found.constants.is_of_java()) {
        for file in manifest_files(state.world.root, jar)? {
            let reason = Arc::new(Reason::Home { group: CLASS_PATH, why: format!("the manifest of {jar} names it") });
            let (path, cwd) = (file.as_bytes().to_vec(), RootPath::root());
            demands.push(Demand::Path { from: Some(jar.clone()), cwd, path, reason, host: Host::Process(*host) });
        }
    }
    if state.request.companions == Companions::None {
        return Ok(demands);
    }
    if let Some(found) = &found {
        files_in_constants(state, (jar, *host), &found.constants, &mut demands)?;
    }
    if let Some(found) = found.filter(|found| found.constants.starts_programs) {
        programs_in_constants(state, (jar, *host), &found.constants, &mut demands)?;
        if state.world.owner(jar)?.is_none() {
            for text in &found.constants.settings {
                own_settings::look(state, jar, text, &mut demands)?;
            }
        }
    }
    Ok(demands)
}

/// Adds data and libraries whose absolute paths are constants of the user's own classes.
fn files_in_constants(
    state: &State<'_>,
    (jar, host): (&RootPath, ProcessId),
    constants: &Constants,
    demands: &mut Vec<Demand>,
) -> Result<(), Error> {
    if constants.paths.is_empty() || state.world.owner(jar)?.is_some() {
        return Ok(());
    }
    let why = || format!("a class in {jar} contains its path");
    for text in constants.paths.iter().filter(|text| memchr::memmem::find(text.as_bytes(), b".so").is_some()) {
        let followed = state.world.root.follow(text.as_bytes())?;
        let Some((real, _)) = followed.file() else { continue };
        if state.world.is_elf(real)? && !state.is_excluded(real) {
            let reason = Arc::new(Reason::Home { group: CLASS_PATH, why: why() });
            let (path, cwd) = (text.as_bytes().to_vec(), RootPath::root());
            demands.push(Demand::Path { from: Some(jar.clone()), cwd, path, reason, host: Host::Process(host) });
        }
    }
    let data: Vec<(String, String)> = constants.paths.iter().map(|path| (path.clone(), why())).collect();
    demands.extend(source_data::demands(state, jar, true, &data)?);
    Ok(())
}

/// Adds the programs whose names are constants of a jar.
fn programs_in_constants(
    state: &State<'_>,
    (jar, host): (&RootPath, ProcessId),
    constants: &Constants,
    demands: &mut Vec<Demand>,
) -> Result<(), Error> {
    let world = &*state.world;
    let machine = &state.processes.get(host).process.loaded[0].real;
    let start = |program: &RootPath, why: String| {
        Demand::Start(Start { from: Some(jar.clone()), ..state.start_by(machine, program, why, false) })
    };
    for path in constants.paths.iter().filter_map(RootPath::new) {
        if is_program(state, jar, &path)? {
            demands.push(start(&path, format!("a class in {jar} contains its path, and one starts programs")));
        }
    }
    let path = path_of(&state.request.env);
    for line in constants.words.iter().filter_map(|text| command_line(text)) {
        for name in line.split(" | ").filter_map(|part| part.split_whitespace().next()) {
            let program = program_in_path(world.root, path, name)?.filter(|path| !state.is_excluded(path));
            let why = || format!("a class in {jar} contains the command line `{}`", show(line.as_bytes()));
            demands.extend(program.map(|program| start(&program, why())));
        }
    }
    let commands = world.commands(path)?;
    let named: Vec<(&RootPath, &String)> = commands
        .iter()
        .filter(|(path, _)| constants.words.contains(&*show(path.name())) && !state.is_excluded(path))
        .collect();
    let owner = world.owner(jar)?;
    let wanted: BTreeSet<&String> = match (&owner, world.database()?) {
        (Some(own), Some(database)) => {
            let owners: BTreeSet<&String> = named.iter().map(|(_, owner)| *owner).collect();
            owners.into_iter().filter(|owner| *owner != own && database.wants(own, owner)).collect()
        }
        _ => BTreeSet::new(),
    };
    // Classes outside of a jar are the user's own: one of them passes a name to another that starts programs.
    let is_dir = world.root.meta(jar)?.is_some_and(|meta| meta.kind == FileKind::Dir);
    let is_own = owner.is_none() && (is_dir || jar.name().ends_with(b".class"));
    let is_started = |name: &[u8]| {
        constants.started.contains(&*show(name)) || is_own && !is_word(name) && !own_sources().words.contain(name)
    };
    // A few names in an application of the user are those of programs; of many, most are words of another kind.
    let bare = named.iter().filter(|(path, _)| is_started(path.name())).count();
    let is_application = owner.is_none() && bare <= MAX_BARE;
    for (program, owner) in named {
        if !world.is_elf(program)? {
            continue;
        }
        if wanted.contains(owner) {
            let why = format!(
                "a class in {jar} names it, and the package of the jar depends on {owner} or recommends \
                               it"
            );
            demands.push(start(program, why));
        } else if is_started(program.name()) {
            let why = format!("named by a class in {jar}, and one starts programs");
            demands.push(match is_application && !is_word(program.name()) {
                true => start(program, why),
                false => Demand::Report(Message::Offered { program: program.clone(), why }),
            });
        }
    }
    Ok(())
}
