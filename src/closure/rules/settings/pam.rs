//! For PAM: reads only the files in /etc/pam.d whose service name a packed program, its arguments or its settings
//! mention; all of them if a program's service name cannot be found. The name is an argument of a function call in the
//! program, so only files that certainly belong to other programs stay out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use memchr::memmem;

use crate::closure::demand::Demand;
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::{NodeKind, Reason};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::{RootPath, show};
use crate::profile::Read;

/// Maximum size of a program that is searched for names, and of a file of its configuration.
const MAX_PROGRAM: usize = 64 << 20;
const MAX_CONFIG: u64 = 64 << 10;
/// Maximum number of names in a note.
const MAX_SHOWN: usize = 4;

/// A file at which reading starts, and the reason.
pub(super) struct Start {
    pub(super) path: RootPath,
    pub(super) why: String,
}

/// A program that opens such files by service name.
struct Asker {
    real: RootPath,
    package: Option<String>,
    /// The names by which it is called, in lower case.
    called: BTreeSet<Vec<u8>>,
}

/// The service names that programs use.
struct Asked {
    /// File names, each with the reason.
    names: BTreeMap<Vec<u8>, String>,
    /// Programs in which no service name was found.
    unknown: Vec<String>,
}

/// The paths of files with one name, and the packages that own them.
struct Named {
    paths: Vec<RootPath>,
    packages: BTreeSet<Option<String>>,
}

/// The initial files, with directories expanded, that programs of the image use. All of them, if the service name of a
/// program cannot be found.
pub(super) fn named_services(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    read: &Read,
    starts: Vec<RootPath>,
) -> Result<Vec<Start>, Error> {
    let start = |path: &RootPath| Start { path: path.clone(), why: read.why.clone() };
    let (mut dirs, mut found) = (Vec::new(), Vec::new());
    for path in starts {
        match state.world.root.follow(path.as_bytes())?.dir().is_some() {
            true if !read.named_by.is_empty() => dirs.push(path),
            _ => found.push(start(&path)),
        }
    }
    if dirs.is_empty() {
        return Ok(found);
    }
    let all = named_files(state, &dirs)?;
    let askers = askers(state, &read.named_by)?;
    let Asked { names: asked, unknown } = asked_for(state, &askers, &all)?;
    let mentioned = mentioned_names(state, &all)?;
    let is_wanted = |name: &Vec<u8>, file: &Named| {
        asked.contains_key(name)
            || mentioned.contains(name)
            || file.paths.iter().any(|path| state.graph.contains(path))
            || file.packages.contains(&None)
            || read.always.iter().any(|one| one.as_bytes() == name)
    };
    let is_narrow = !askers.is_empty() && unknown.is_empty();
    let mut left = Vec::new();
    for (name, file) in &all {
        let is_wanted = is_wanted(name, file);
        if !is_wanted {
            left.push(name);
        }
        if is_wanted || !is_narrow {
            let why = asked.get(name).unwrap_or(&read.why);
            found.extend(file.paths.iter().map(|path| Start { path: path.clone(), why: why.clone() }));
        }
    }
    let note = match (left.is_empty(), is_narrow, unknown.is_empty()) {
        (false, true, _) => left_out(&dirs, &left),
        (false, false, false) => {
            let unknown = unknown.join(", ");
            format!(
                "all of {} is packed, because slimroot cannot find out which of its files {unknown} uses",
                list(&dirs)
            )
        }
        _ => return Ok(found),
    };
    let note = Note::new("pam-narrowed", list(&dirs), note).slot(format!("pam {}", list(&dirs)));
    demands.push(Demand::Report(Message::Note(note)));
    Ok(found)
}

/// The service names that programs use: their own name, that of their package, or one that they contain.
fn asked_for(state: &State<'_>, askers: &[Asker], all: &BTreeMap<Vec<u8>, Named>) -> Result<Asked, Error> {
    let (mut names, mut unknown) = (BTreeMap::new(), Vec::new());
    for asker in askers {
        let mut bytes = state.world.root.read(&asker.real, MAX_PROGRAM)?;
        bytes.make_ascii_lowercase();
        let mut is_known = false;
        for (name, file) in all {
            let small = name.to_ascii_lowercase();
            let is_own = asker.called.contains(&small)
                || asker.package.is_some() && file.packages.contains(&asker.package)
                || memmem::find(&bytes, &[b"\0", small.as_slice(), b"\0"].concat()).is_some();
            is_known |= is_own;
            // Linkers store a string that is the end of another only once.
            if is_own || memmem::find(&bytes, &[small.as_slice(), b"\0"].concat()).is_some() {
                names.entry(name.clone()).or_insert_with(|| format!("{} uses the service {}", asker.real, show(name)));
            }
        }
        if !is_known {
            unknown.push(asker.real.to_string());
        }
    }
    Ok(Asked { names, unknown })
}

/// The files in some directories, by name.
fn named_files(state: &State<'_>, dirs: &[RootPath]) -> Result<BTreeMap<Vec<u8>, Named>, Error> {
    let mut all: BTreeMap<Vec<u8>, Named> = BTreeMap::new();
    for dir in dirs {
        for name in state.world.root.list(dir)? {
            let path = dir.join(&name);
            if state.world.root.follow(path.as_bytes())?.file().is_some() {
                let empty = || Named { paths: Vec::new(), packages: BTreeSet::new() };
                all.entry(name.clone()).or_insert_with(empty).paths.push(path);
            }
        }
    }
    let paths: Vec<RootPath> = all.values().flat_map(|file| file.paths.iter().cloned()).collect();
    let owners = state.owners(&paths)?;
    for file in all.values_mut() {
        file.packages = file.paths.iter().map(|path| owners.get(path).cloned()).collect();
    }
    Ok(all)
}

/// The objects in all processes that import one of these symbols.
fn askers(state: &State<'_>, imports: &[String]) -> Result<Vec<Asker>, Error> {
    let mut found = BTreeSet::new();
    for started in state.processes.as_slice() {
        for object in started.process.loaded.iter().skip(started.process.inherited) {
            let own = state.world.objects.imports(&object.real)?;
            if own.iter().any(|name| imports.iter().any(|one| one.as_bytes() == name.as_slice())) {
                found.insert(object.real.clone());
            }
        }
    }
    let paths: Vec<RootPath> = found.iter().cloned().collect();
    let mut owners = state.owners(&paths)?;
    let asker = |real: RootPath| {
        let entries = state.entries.iter().filter(|entry| entry.real == real);
        let called = entries.map(|entry| entry.path.name()).chain([real.name()]).map(<[u8]>::to_ascii_lowercase);
        Asker { called: called.collect(), package: owners.remove(&real), real }
    };
    Ok(found.into_iter().map(asker).collect())
}

/// Those of the names that occur, ignoring case, in arguments, in the environment, or in the configuration of the
/// program or of the user, from which a program may take its service name.
fn mentioned_names(state: &State<'_>, all: &BTreeMap<Vec<u8>, Named>) -> Result<BTreeSet<Vec<u8>>, Error> {
    let small: HashMap<Vec<u8>, &Vec<u8>> = all.keys().map(|name| (name.to_ascii_lowercase(), name)).collect();
    let mut mentioned = BTreeSet::new();
    let mut look = |text: &[u8]| {
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let lines = text.split(|b| *b == b'\n');
        let lines = lines.filter(|line| !matches!(line.trim_ascii_start().first(), Some(b'#' | b';')));
        for word in lines.flat_map(|line| line.split(move |b| !is_part(b))) {
            mentioned.extend(small.get(&word.to_ascii_lowercase()).map(|name| (*name).clone()));
        }
    };
    state
        .launches
        .arguments(Certainty::Sure, |_| true)
        .into_iter()
        .flat_map(|(_, args)| args)
        .for_each(|word| look(word.as_bytes()));
    state.request.env.values().for_each(|value| look(value.as_bytes()));
    for (path, kind) in state.graph.nodes().iter() {
        let NodeKind::File(meta) = kind else { continue };
        let is_own = |reason: &Reason| match reason {
            Reason::Companion { .. } => path.as_bytes().starts_with(b"/etc/"),
            Reason::Included { .. } | Reason::Home { group: "arguments", .. } => !path.is_of_distribution(),
            _ => false,
        };
        if meta.size <= MAX_CONFIG && state.graph.reasons(path).any(|edge| is_own(&edge.reason)) {
            look(&state.world.root.read(path, usize::try_from(meta.size).unwrap_or(0))?);
        }
    }
    Ok(mentioned)
}

/// The note about files that are left out.
fn left_out(dirs: &[RootPath], left: &[&Vec<u8>]) -> String {
    let shown: Vec<_> = left.iter().take(MAX_SHOWN).map(|name| show(name).into_owned()).collect();
    let more = left.len().saturating_sub(MAX_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (dirs, shown, first) = (list(dirs), shown.join(", "), &dirs[0]);
    format!(
        "of {dirs}, {shown}{more} are left out: they belong to other packages, and no packed program names them; \
         --include {first}/NAME adds one with the files that it names"
    )
}

fn list(dirs: &[RootPath]) -> String {
    dirs.iter().map(RootPath::to_string).collect::<Vec<_>>().join(", ")
}
