//! Needs of launches according to the language rules. Each language is a separate rule.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::{On, Rule, source_data};
use crate::closure::demand::{Demand, Host, Missing, Open, Start};
use crate::closure::launch::{LaunchId, Launched};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Reason, Sign, path_of};
use crate::error::Error;
use crate::language::{
    Call, Certainty, LANGUAGES, Language, MissingApplication, Needs, Unneeded, is_wide, runs_source,
};
use crate::loader::Family;
use crate::path::RootPath;

/// The group of single files named by a launch.
pub(super) const NAMED: &str = "arguments";
/// Maximum number of such sources of a launch.
const MAX_SOURCES: usize = 64;
const OPENED: &str = "libraries opened by name";

/// The rule of a language.
macro_rules! rule {
    ($name:ident, $at:literal) => {
        pub(super) const $name: Rule = Rule {
            id: LANGUAGES[$at].id,
            about: LANGUAGES[$at].about,
            brings_packages: true,
            facts: &[On::Launched],
            on: |state, fact| on(state, fact, &LANGUAGES[$at]),
        };
    };
}

rule!(MISSING_APPLICATION, 0);
rule!(ARGUMENTS, 1);
rule!(DOTNET, 2);
rule!(JAVA, 3);
rule!(NODE, 4);
rule!(PERL, 5);
rule!(PHP, 6);
rule!(PYTHON, 7);
rule!(RUBY, 8);
rule!(SHELL, 9);
rule!(WRAPPER, 10);
rule!(R, 11);
rule!(UNREAD, 12);

fn on(state: &State<'_>, fact: Fact, language: &'static Language) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    let launched = state.launches.get(id);
    let launch = &launched.launch;
    let first = launched.processes.first().map(|id| &state.processes.get(*id).process);
    let owner = owner_without_user(state, launched)?;
    let unneeded = |dir: &RootPath, loaded: &[String]| {
        owner.as_ref().map_or(Ok(None), |owner| state.world.unneeded(owner, dir, loaded))
    };
    let own_modules = |dir: &RootPath| own_modules(state, launched, dir);
    let (scripts, args) = read_by(launched, language);
    let call = Call {
        root: state.world.root,
        scripts,
        programs: launched.programs.clone(),
        args: &args,
        cwd: &launch.cwd,
        env: &launch.env,
        path: path_of(&launch.env),
        sonames: &launched.sonames,
        memory: &state.memory,
        target: first.map(|process| process.loaded[0].elf.target),
        is_musl: first
            .and_then(|process| process.constants.as_ref())
            .is_some_and(|constants| constants.family == Family::Musl),
        unneeded: owner.is_some().then_some(&unneeded),
        own_modules: &own_modules,
    };
    demands(state, id, (language.needs)(&call)?)
}

/// The scripts and arguments as the interpreter in machine code gets them: of scripts that interpret each other, the
/// others are arguments of the last (execve(2)).
fn read_by<'l>(launched: &'l Launched, language: &Language) -> (Vec<RootPath>, Cow<'l, [String]>) {
    let args = &launched.launch.args;
    match launched.scripts.split_last() {
        Some((last, others)) if !others.is_empty() && ![UNREAD.id, WRAPPER.id].contains(&language.id) => {
            let others = others.iter().rev().map(RootPath::to_string);
            (vec![last.clone()], others.chain(args.iter().cloned()).collect())
        }
        _ => (launched.scripts.clone(), Cow::Borrowed(args)),
    }
}

/// Reports that modules of packages are left out.
fn modules_left_out(unneeded: &[(RootPath, Unneeded)], subject: &str) -> Option<Demand> {
    let packages: BTreeSet<&String> = unneeded.iter().flat_map(|(_, left)| left.packages.iter()).collect();
    let dirs: Vec<String> = unneeded.iter().map(|(dir, _)| dir.to_string()).collect();
    let says = format!(
        "{subject} belongs to a package that does not need {} other packages with modules in {}: they are not packed; \
         --include 'DIRECTORY/**' adds them",
        packages.len(),
        dirs.join(" and ")
    );
    (!dirs.is_empty()).then(|| Demand::Report(Message::Note(Note::new("modules-left-out", subject.to_owned(), says))))
}

/// The package of the script of a launch.
fn owner(state: &State<'_>, launched: &Launched) -> Result<Option<String>, Error> {
    let Some(script) = launched.scripts.first() else { return Ok(None) };
    let followed = state.world.root.follow_from(&launched.launch.cwd, script.as_bytes())?;
    followed.file().map_or(Ok(None), |(real, _)| state.world.owner(real))
}

/// Files below a directory that packages of the script's own source have. A script of the interpreter's own source has
/// none: what is there is the standard library.
fn own_modules(state: &State<'_>, launched: &Launched, dir: &RootPath) -> Result<Vec<RootPath>, Error> {
    let (Some(database), Some(owner)) = (state.world.database()?, owner(state, launched)?) else {
        return Ok(Vec::new());
    };
    let program = launched.processes.last().map(|id| &state.processes.get(*id).process.loaded[0].real);
    let reader = program.map_or(Ok(None), |program| state.world.owner(program))?;
    if state.is_same_source(Some(&owner), reader.as_ref())? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for package in database.same_source_dependencies(&owner).into_iter().chain([owner]) {
        for path in state.world.contents(&package)?.iter().filter(|path| path.is_within(dir)) {
            found.extend(state.world.root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone()));
        }
    }
    Ok(found)
}

/// The package of the script of a launch, unless its arguments name files that belong to no package.
fn owner_without_user(state: &State<'_>, launched: &Launched) -> Result<Option<String>, Error> {
    for word in launched.launch.args.iter().filter(|word| !word.starts_with('-') && !word.contains('\0')) {
        let followed = state.world.root.follow_from(&launched.launch.cwd, word.as_bytes())?;
        if let Some((real, _)) = followed.found()
            && state.world.owner(real)?.is_none()
        {
            return Ok(None);
        }
    }
    owner(state, launched)
}

/// True if the package of a script may use this program, or if nothing says that it may not.
fn may_use(state: &State<'_>, package: Option<&str>, program: &str) -> Result<bool, Error> {
    let Some(package) = package else { return Ok(true) };
    let followed = state.world.root.follow(program.as_bytes())?;
    let Some((real, _)) = followed.file() else { return Ok(true) };
    let Some(owner) = state.world.owner(real)? else { return Ok(true) };
    Ok(state.world.needed_by(package)?.is_none_or(|needed| needed.contains(&owner)))
}

/// Sources outside of the application that its sources name by their paths, each with the interpreter that runs it and
/// the reason.
fn sources(
    state: &State<'_>,
    launched: &Launched,
    data: &[(String, String)],
    is_claimed: &dyn Fn(&RootPath) -> bool,
) -> Result<Vec<(String, String, String)>, Error> {
    let mut found = Vec::new();
    let Some(interpreter) = launched.programs.last().filter(|_| launched.certainty >= Certainty::Likely) else {
        return Ok(found);
    };
    let name = String::from_utf8_lossy(interpreter.name());
    for (text, why) in data {
        let Some(named) = RootPath::new(text).filter(|path| !is_claimed(path) && !is_wide(path)) else { continue };
        // A source may load those of a directory by names that it computes.
        let paths = match state.world.root.follow(named.as_bytes())?.dir() {
            Some(real) => state.world.root.list(real)?.iter().map(|name| named.join(name)).collect(),
            None => vec![named],
        };
        for path in paths.into_iter().filter(|path| runs_source(&name, &path.to_string()) && !state.is_excluded(path)) {
            let followed = state.world.root.follow(path.as_bytes())?;
            let Some((real, _)) = followed.file() else { continue };
            if *real != launched.real && found.len() < MAX_SOURCES && state.world.owner(real)?.is_none() {
                found.push((interpreter.to_string(), path.to_string(), why.clone()));
            }
        }
    }
    Ok(found)
}

fn demands(state: &State<'_>, id: LaunchId, needs: Needs) -> Result<Vec<Demand>, Error> {
    let launched = state.launches.get(id);
    let launch = &launched.launch;
    let mut demands = Vec::new();
    // Modules and add-ons are opened in the process of the program that reads the script.
    let reader = launched.processes.last().copied();
    let reader_path = match launched.programs.last() {
        Some(path) => state.world.root.follow_from(&launch.cwd, path.as_bytes())?.file().map(|(real, _)| real.clone()),
        None => None,
    };
    let host = reader.map_or(Host::Main, Host::Process);
    for library in needs.libraries {
        let Some(host) = reader.filter(|id| state.processes.get(*id).process.constants.is_some()) else { continue };
        let reason = || Reason::Home { group: OPENED, why: library.why.clone() };
        let name = library.names.last().map_or("", String::as_str);
        let says = format!("{name} is not in the root: {}", library.why);
        let missing =
            library.is_wanted.then(|| Missing::Named(Message::Note(Note::new("library-unopened", name, says))));
        let names = library.names.iter().map(|name| (name.clone().into_bytes(), reason())).collect();
        demands.push(Demand::Open(Open {
            host,
            requester: 0,
            from: launched.programs.last().cloned(),
            names,
            required: false,
            missing,
        }));
    }
    for dir in needs.classes {
        demands.extend(reader.map(|host| Demand::Read { dir, host }));
    }
    for (profile, says) in needs.profiles {
        demands.push(Demand::Want { profile, sign: Sign { says, object: reader_path.clone() } });
    }
    // A limit is reported even if the script may never run.
    let cut = |says| Demand::Report(Message::Note(Note::new("script-cut", launched.launch.program.to_string(), says)));
    demands.extend(needs.cuts.into_iter().map(cut));
    if launched.certainty == Certainty::Sure {
        let subject = launched.launch.program.to_string();
        let note = |says| Demand::Report(Message::Note(Note::new("launch-note", subject.clone(), says)));
        demands.extend(needs.notes.into_iter().map(note));
        if state.launches.roots.first() == Some(&id) {
            let waits = |says| Demand::Report(Message::Note(Note::new("command-not-given", subject.clone(), says)));
            demands.extend(needs.waits.map(waits));
        }
        let unread = |says| Demand::Report(Message::Note(Note::new("script-not-read", subject.clone(), says)));
        demands.extend(needs.unread.map(unread));
        demands.extend(modules_left_out(&needs.unneeded, &subject).filter(|_| launched.is_certain));
        demands.extend(needs.unresolved.into_iter().map(|one| Demand::Report(Message::UnresolvedCommand(one))));
        // Not every run reaches every line of a script.
        let weakened =
            |one: MissingApplication| MissingApplication { is_certain: one.is_certain && launched.is_certain, ..one };
        demands.extend(
            needs
                .missing_applications
                .into_iter()
                .map(|one| Demand::Report(Message::MissingApplication(weakened(one)))),
        );
    }
    if launched.certainty == Certainty::Sure && launched.is_certain {
        demands.extend(needs.missing_modules.into_iter().map(|one| Demand::Report(Message::MissingModule(one))));
        demands.extend(needs.imports.into_iter().map(|one| Demand::Report(Message::Imported(one))));
    }
    let offer = |(program, why)| Demand::Report(Message::Offered { program, why });
    demands.extend(needs.offers.into_iter().map(offer));
    let named = needs.named.into_iter().filter(|(path, _)| !state.is_excluded(path));
    let files = needs.files.into_iter().chain(named).map(|(path, why)| (path.as_bytes().to_vec(), why));
    // The user's own command line wins over --exclude; an argument in a script does not.
    let is_asked = state.launches.roots.contains(&id);
    let is_kept_out = |path: &[u8]| !is_asked && RootPath::new(path).is_some_and(|path| state.is_excluded(&path));
    let paths = needs.paths.into_iter().filter(|(path, _)| !is_kept_out(path));
    for (path, why) in paths.chain(files) {
        let reason = Arc::new(Reason::Home { group: NAMED, why });
        let (from, cwd) = (Some(launched.real.clone()), RootPath::root());
        demands.push(Demand::Path { from, cwd, path, reason, host: host.clone() });
    }
    if launched.certainty >= Certainty::Likely {
        let is_told = launched.certainty == Certainty::Sure;
        demands.extend(source_data::demands(state, &launched.real, is_told, &needs.data)?);
    }
    let is_claimed =
        |path: &RootPath| state.claims.cover(path) || needs.claims.iter().any(|claim| path.is_within(&claim.dir));
    let sources = sources(state, launched, &needs.data, &is_claimed)?;
    demands.extend(needs.claims.into_iter().map(|claim| Demand::Claim { launch: id, claim }));
    let start = |words: Vec<String>, certainty, why| Start {
        starter: Some(id),
        from: Some(launched.real.clone()),
        words,
        cwd: launch.cwd.clone(),
        env: Rc::clone(&launch.env),
        certainty,
        is_exec: false,
        is_helper: launched.is_helper,
        reason: Reason::Command { why },
        tells_missing: false,
    };
    for (interpreter, source, why) in sources {
        demands.push(Demand::Start(start(vec![interpreter, source], Certainty::Likely, why)));
    }
    for one in needs.starts {
        // Programs started by a script usually have its environment unchanged, so share it.
        let env = if one.env == *launch.env { Rc::clone(&launch.env) } else { Rc::new(one.env) };
        let start = start(one.words, one.certainty, one.why);
        demands.push(Demand::Start(Start { cwd: one.cwd, env, is_exec: one.is_exec, ..start }));
    }
    let package = owner(state, launched)?;
    for one in needs.commands {
        // In a helper script of a package only a command position counts: a word may be a case label or a list of what
        // is looked for, as the browsers of `git web--browse`. In other scripts of a package, words count that name
        // programs which the package may use.
        let is_weak = one.certainty == Certainty::Possible;
        if is_weak && (launched.is_helper || !may_use(state, package.as_deref(), &one.name)?) {
            demands.extend(RootPath::new(&one.name).map(|path| offer((path, one.why))));
            continue;
        }
        let start = start(vec![one.name], one.certainty, one.why);
        demands.push(Demand::Start(Start { tells_missing: launched.certainty == Certainty::Sure, ..start }));
    }
    Ok(demands)
}
