//! Paths that programs contain as whole strings: settings, and, for a program without a package, its data and plug-ins.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::named_helpers;
use super::package_files::companion;
use super::{On, Rule};
use crate::closure::demand::{Demand, Host};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, Reason};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::RootPath;
use crate::root::{FileKind, Meta};
use crate::world::is_library_dir;
use crate::world::tables::system;

pub(super) const RULE: Rule = Rule {
    id: "named-paths",
    about: "Packs settings, data and plug-ins whose paths are whole strings of a program or of a library of its source.",
    brings_packages: false,
    facts: &[On::Required, On::Changed],
    on,
};

/// An object that contains paths.
pub(super) struct Namer<'p> {
    pub(super) object: &'p RootPath,
    /// The package that owns it.
    pub(super) owner: Option<&'p str>,
    /// True for a program, false for a library.
    is_program: bool,
    /// True for a program, and for a library built from the source of a program.
    is_same_source: bool,
    /// True if the program surely runs.
    is_sure: bool,
    /// True if the program runs surely, or by a call of a source.
    pub(super) is_likely: bool,
}

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    if state.request.companions == Companions::None {
        return Ok(Vec::new());
    }
    let Fact::Required(id) = fact else { return library_data(state) };
    if state.processes.get(id).program.is_some() {
        return Ok(Vec::new());
    }
    let program = &state.processes.get(id).process.loaded[0].real;
    let certainty = state.processes.get(id).certainty;
    let (is_sure, is_likely) = (certainty == Certainty::Sure, certainty >= Certainty::Likely);
    let own = state.world.owner(program)?;
    let mut demands = Vec::new();
    let mut look = |object: &RootPath, is_program: bool, is_same_source: bool, owner: Option<&str>| {
        let answer = format!("{object} {is_same_source} {is_sure} {is_likely}");
        if state.is_done(RULE.id, &answer) {
            return Ok(());
        }
        demands.push(Demand::Done(answer));
        let by = Namer { object, owner, is_program, is_same_source, is_sure, is_likely };
        for text in state.world.whole_paths(object)?.iter() {
            named_path(state, &mut demands, &by, text)?;
        }
        // Texts of Go and Rust have no end, and those of a package's programs are too many to be told from others.
        if is_program && owner.is_none() && is_likely {
            for text in state.world.machine_texts(object)?.iter().filter(|text| text.starts_with("/etc/")) {
                named_path(state, &mut demands, &by, text.as_bytes())?;
            }
        }
        if is_program {
            written(state, &mut demands, &by)?;
        }
        Ok::<_, Error>(())
    };
    look(program, true, true, own.as_deref())?;
    // Include libraries of every program, because this one may be the first of their source.
    let libraries = state.processes.libraries();
    let owners = state.world.owners(libraries)?;
    for object in libraries {
        let owner = owners.get(object);
        let is_same_source = state.is_same_source(own.as_ref(), owner)?;
        let is_unpackaged = owner.is_none() && state.world.opens_libraries(object)?;
        if is_same_source || is_unpackaged {
            look(object, false, is_same_source, owner.map(String::as_str))?;
        }
    }
    Ok(demands)
}

/// Data of libraries, also of those that are loaded later.
fn library_data(state: &State<'_>) -> Result<Vec<Demand>, Error> {
    let answer = format!("libraries {}", state.news);
    if state.is_done(RULE.id, &answer) {
        return Ok(Vec::new());
    }
    let mut demands = vec![Demand::Done(answer)];
    let loaded = state.processes.as_slice().iter().flat_map(|started| &started.process.loaded);
    let all: BTreeSet<&RootPath> = loaded.map(|object| &object.real).collect();
    let is_new = |object: &&RootPath| !state.is_done(RULE.id, &format!("{object} library"));
    let libraries: Vec<RootPath> = all.into_iter().filter(is_new).cloned().collect();
    let Some(database) = state.world.database()?.filter(|_| !libraries.is_empty()) else { return Ok(demands) };
    let owners = state.world.owners(&libraries)?;
    for object in &libraries {
        demands.push(Demand::Done(format!("{object} library")));
        let Some(owner) = owners.get(object) else { continue };
        let owner = Some(owner.as_str());
        let (is_sure, is_likely) = (false, false);
        let by = Namer { object, owner, is_program: false, is_same_source: false, is_sure, is_likely };
        named_helpers::of_library(state, &mut demands, &by, database)?;
    }
    Ok(demands)
}

fn named_path(state: &State<'_>, demands: &mut Vec<Demand>, by: &Namer<'_>, text: &[u8]) -> Result<(), Error> {
    // Compiled programs contain the paths of their sources.
    let is_data_path = |path: &RootPath| !system().commands.cover(path) && !system().is_source(path);
    let Some(path) = RootPath::new(text).filter(is_data_path) else { return Ok(()) };
    if by.is_likely && by.is_same_source && system().package_databases.contain(&path) {
        demands.extend(database(state, by, &path)?);
    }
    if by.is_sure && by.is_program && system().at_run_time.cover(&path) {
        // A directory in /run that a service expects, made by the image's Dockerfile or the package.
        let is_dir = state.world.root.follow(path.as_bytes())?.dir().is_some_and(|real| !is_shared(real));
        demands.extend((is_dir && !is_elsewhere(state, &path)).then(|| file(by, &path, text)));
        return Ok(());
    }
    let (owner, is_program) = (by.owner, by.is_program);
    let is_settings = by.is_same_source && path.as_bytes().starts_with(b"/etc/");
    let is_data = by.is_same_source && path.as_bytes().starts_with(b"/usr/share/");
    let is_own = (owner.is_none() && is_below_private(&path, is_program)) || is_data;
    if owner.is_some() && is_program && by.is_same_source && named_helpers::is_place(&path) {
        return named_helpers::dir(state, demands, by, (&path, text));
    }
    let is_state = is_program && is_state(&path, owner.unwrap_or_default().as_bytes());
    if !(is_settings || is_own || is_state) || is_elsewhere_for(state, by, &path)? {
        return Ok(());
    }
    let followed = state.world.root.follow(path.as_bytes())?;
    let Some((real, meta)) = followed.found().map(|(real, meta)| (real.clone(), *meta)) else { return Ok(()) };
    if is_elsewhere_for(state, by, &real)? {
        return Ok(());
    }
    match meta.kind {
        FileKind::File if is_readable(&meta) => {
            demands.push(file(by, &path, text));
            add_included_settings(state, demands, by, &real)?;
        }
        FileKind::File => demands.push(withheld(by, &path, vec![real])),
        FileKind::Dir if is_tool_chain(state, &real)? => {
            let says = format!(
                "{} contains the path of the compiler in {path}, which is not packed: --include '{path}' adds it",
                by.object
            );
            demands.push(Demand::Report(Message::Note(Note::new("tool-chain-left-out", path.to_string(), says))));
        }
        // A library also contains directories that only other programs need.
        FileKind::Dir if is_own && (is_program || !is_data) || is_settings => {
            dir(state, demands, by, (&path, &real, text))?
        }
        _ => {}
    }
    Ok(())
}

/// Settings directly in /etc that no package has, so that they were written for this image, and whose name alone the
/// program contains.
fn written(state: &State<'_>, demands: &mut Vec<Demand>, by: &Namer<'_>) -> Result<(), Error> {
    let mut paths = Vec::new();
    for path in state.world.unowned_settings()? {
        let meta = state.world.root.meta(path)?;
        let is_file = meta.is_some_and(|meta| meta.kind == FileKind::File && is_readable(&meta));
        paths.extend((is_file && !is_elsewhere(state, path)).then_some(path));
    }
    if paths.is_empty() {
        return Ok(());
    }
    let names = state.world.file_names(by.object, paths.iter().map(|path| path.name()))?;
    for path in paths.iter().filter(|path| names.contains(path.name())) {
        demands.push(file(by, path, path.name()));
    }
    Ok(())
}

/// True for a directory of the system itself, and for one that many services share.
pub(super) fn is_shared(dir: &RootPath) -> bool {
    system().shared.contain(dir) || system().kernel.cover(dir)
}

/// Reports that a program reads the package database, since an image has only records of packed packages.
fn database(state: &State<'_>, by: &Namer<'_>, dir: &RootPath) -> Result<Option<Demand>, Error> {
    let root = state.world.root;
    let Some(real) = root.follow(dir.as_bytes())?.dir().cloned() else { return Ok(None) };
    let Some(first) = root.list(&real)?.first().map(|name| dir.join(name)) else { return Ok(None) };
    let says = format!(
        "{} reads the package database {dir}, which is not packed, so it finds no installed packages in the image; \
         --include '{dir}/**' adds the builder's",
        by.object
    );
    // Once for all programs of a package manager.
    let note = Note::new("package-database-left-out", dir.to_string(), says).unless(first);
    Ok(Some(Demand::Report(Message::Note(note.slot(format!("package database {dir}"))))))
}

pub(super) fn file(by: &Namer<'_>, path: &RootPath, text: &[u8]) -> Demand {
    let reason = Arc::new(Reason::Names { text: text.to_vec() });
    let (from, path, host) = (Some(by.object.clone()), path.as_bytes().to_vec(), Host::With(by.object.clone()));
    Demand::Path { from, cwd: RootPath::root(), path, reason, host }
}

/// True for the directory of a compiler: programs that it made contain the path.
fn is_tool_chain(state: &State<'_>, dir: &RootPath) -> Result<bool, Error> {
    for mark in &system().tool_chain_marks {
        if state.world.root.follow(dir.join(mark.as_bytes()).as_bytes())?.found().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files in a directory that the object names.
fn dir(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    by: &Namer<'_>,
    (path, real, text): (&RootPath, &RootPath, &[u8]),
) -> Result<(), Error> {
    let mut left = Vec::new();
    for below in state.world.root.below(path)? {
        let followed = state.world.root.follow(below.as_bytes())?;
        let Some((at, meta)) = followed.found() else { continue };
        // The target of a symlink out of the directory belongs to others.
        if meta.kind != FileKind::File || !at.is_within(real) || is_elsewhere(state, &below) {
            continue;
        }
        // In a directory that is packed completely, a file that is not readable for all users is usually a key or
        // password.
        match meta.is_for_all() {
            true => demands.push(file(by, &below, text)),
            false => left.push(at.clone()),
        }
    }
    if !left.is_empty() {
        demands.push(withheld(by, &path.join(b"**"), left));
    }
    Ok(())
}

/// Reports files that are named but left out, because they may be secrets of the builder.
fn withheld(by: &Namer<'_>, pattern: &RootPath, files: Vec<RootPath>) -> Demand {
    Demand::Report(Message::Withheld { object: by.object.clone(), pattern: pattern.to_string(), files })
}

/// Adds the settings, next to a named file, that belong to another package of the same source, because the file
/// includes them; and that package's directories in /var.
fn add_included_settings(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    by: &Namer<'_>,
    settings: &RootPath,
) -> Result<(), Error> {
    let (Some(database), Some(owner), Some(dir)) = (state.world.database()?, by.owner, settings.parent()) else {
        return Ok(());
    };
    let package = state.world.owner(settings)?;
    let Some(package) = package.filter(|package| package != owner && database.is_same_source(owner, package)) else {
        return Ok(());
    };
    let is_etc = dir.as_bytes() == b"/etc";
    for path in state.world.contents(&package)?.iter() {
        let meta = state.world.root.meta(path)?;
        let is_beside = !is_etc && path.is_within(&dir) && *path != dir;
        let is_file = meta.is_some_and(|meta| meta.kind != FileKind::Dir && is_readable(&meta));
        if is_beside && is_file || path.as_bytes().starts_with(b"/var/") {
            companion(state, demands, by.object, &package, path)?;
        }
    }
    Ok(())
}

/// True for paths that other rules decide about or that are never packed.
pub(super) fn is_elsewhere(state: &State<'_>, path: &RootPath) -> bool {
    system().not_run.cover(path) || state.is_known_to_a_profile(path) || is_claimed(state, path)
}

/// True for paths of an application, of the builder, and those that the user excludes.
fn is_claimed(state: &State<'_>, path: &RootPath) -> bool {
    system().of_the_builder.cover(path)
        || state.claims.cover(path)
        || state.claims.lie_below(path)
        || state.is_excluded(path)
}

/// The same for a path that the object names. Of the files that are left to others, a sure program has two after all: one
/// that a profile takes by signs, which are those of its usual users, if the program's package asks for the file's; and
/// settings of its own package in a directory that is otherwise for scripts of the system, such as /etc/default.
fn is_elsewhere_for(state: &State<'_>, by: &Namer<'_>, path: &RootPath) -> Result<bool, Error> {
    if !is_elsewhere(state, path) || !by.is_program || !by.is_sure || is_claimed(state, path) {
        return Ok(is_elsewhere(state, path));
    }
    let (Some(package), Some(database)) = (by.owner, state.world.database()?) else { return Ok(true) };
    let followed = state.world.root.follow(path.as_bytes())?;
    let Some((real, _)) = followed.file() else { return Ok(true) };
    let Some(owner) = state.world.owner(real)? else { return Ok(true) };
    Ok(match system().not_run.cover(path) {
        true => owner != package || !path.as_bytes().starts_with(b"/etc/"),
        false => !state.is_left_to_signs(path) || !database.wants(package, &owner),
    })
}

/// Named settings may be restricted to the group of a service; keys are readable only for their owner.
pub(super) fn is_readable(meta: &Meta) -> bool {
    meta.mode & 0o044 != 0
}

/// True below a private directory of software that no package manager installed; for a library, next to libraries.
fn is_below_private(path: &RootPath, is_program: bool) -> bool {
    let is_private = |dir: &RootPath| is_program && system().private_parents.contain(dir);
    path.ancestors().iter().any(|dir| is_library_dir(dir) || is_private(dir))
        && !is_library_dir(path)
        && !system().private_parents.contain(path)
}

/// True for a directory under /var/lib that has the name of the package.
fn is_state(path: &RootPath, package: &[u8]) -> bool {
    let dir = path.as_bytes().strip_prefix(b"/var/lib/").and_then(|rest| rest.split(|b| *b == b'/').next());
    dir.is_some_and(|dir| package.starts_with(dir))
}
