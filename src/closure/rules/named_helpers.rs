//! Directories below /usr/lib and the like whose paths are whole strings of a program. Other packages put data and plug-ins
//! there: dictionaries, modules. What the program's own package has there comes with the package.

use std::collections::BTreeSet;

use super::named_paths::{self, Namer, file};
use crate::closure::demand::Demand;
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::error::Error;
use crate::package::Packages;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Visit};
use crate::world::is_library_dir;
use crate::world::tables::system;

/// Maximum number and total size of data that are packed without being named, and of files that are looked at.
const MAX_FILES: usize = 200;
const MAX_SIZE: u64 = 4 << 20;
const MAX_SEEN: usize = 4096;
/// Parents of directories with data of libraries, and minimum length of the names of such directories.
const PARENTS: [&str; 2] = ["/usr/lib", "/usr/share"];
const MIN_NAME: usize = 3;
/// Maximum number of names that a message shows.
const MAX_SHOWN: usize = 3;
/// Maximum number of further paths that `-v` shows.
const MAX_REST: usize = 200;

/// Files of other packages in such a directory.
#[derive(Default)]
struct Helpers {
    /// Data to include: files whose names the program contains, or all files if they are few and small.
    taken: Vec<RootPath>,
    /// Files to leave out: programs, plug-ins, and large data.
    left: Vec<RootPath>,
}

impl Helpers {
    /// The names of what stays out, as a list.
    fn names(&self) -> String {
        let names: Vec<_> = self.left.iter().take(MAX_SHOWN).map(|path| show(path.name()).into_owned()).collect();
        let more = self.left.len().saturating_sub(MAX_SHOWN);
        if more > 0 { format!("{} and {more} more (-v names them)", names.join(", ")) } else { names.join(", ") }
    }
}

/// True for a directory of helpers and plug-ins, not for one of libraries.
pub(super) fn is_place(path: &RootPath) -> bool {
    system().helpers.cover(path) && !system().helpers.contain(path) && !is_library_dir(path)
}

/// Packs what a program finds in such a directory, and tells what stays out.
pub(super) fn dir(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    by: &Namer<'_>,
    (path, text): (&RootPath, &[u8]),
) -> Result<(), Error> {
    let Some(real) = state.world.root.follow(path.as_bytes())?.dir().cloned() else { return Ok(()) };
    let is_other = system().not_run.cover(&real) || state.claims.cover(&real) || state.claims.lie_below(&real);
    if is_other || state.is_excluded(&real) {
        return Ok(());
    }
    // A profile that knows the directory decides what is packed, if it is applied.
    let is_known = state.is_known_to_a_profile(&real);
    let own = by.owner.filter(|_| !is_known);
    let mut helpers = divide(state, (by.object, own), (path, &real))?;
    if is_known {
        let taken = std::mem::take(&mut helpers.taken);
        helpers.left.extend(taken);
    }
    demands.extend(helpers.taken.iter().map(|taken| file(by, taken, text)));
    let is_told = by.is_likely || is_needed(state, by.owner)?;
    if let Some(first) = helpers.left.first().filter(|_| is_told) {
        let says = format!(
            "{} contains the path of {path}, of which {} may be plug-ins, helpers or data that it opens: not packed; \
             --include '{path}/**' adds all",
            by.object,
            helpers.names()
        );
        let rest = helpers.left.iter().skip(MAX_SHOWN).take(MAX_REST).map(RootPath::to_string).collect();
        let note = Note::new("named-data-left-out", path.to_string(), says).rest(rest).unless(first.clone());
        demands.push(Demand::Report(Message::Note(note)));
    }
    Ok(())
}

/// True if the package of the entry or of a `--bin` depends on this package: then it is made to run its programs, although
/// nothing may say when.
fn is_needed(state: &State<'_>, package: Option<&str>) -> Result<bool, Error> {
    let (Some(package), Some(database)) = (package, state.world.database()?) else { return Ok(false) };
    for id in &state.launches.roots {
        let owner = state.world.owner(&state.launches.get(*id).real)?;
        if owner.is_some_and(|owner| owner != package && database.depends(&owner, package)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Packs the data of a library that another package of its source keeps in a directory which the library names, such as
/// the settings of librpm in /usr/lib/rpm.
pub(super) fn of_library(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    by: &Namer<'_>,
    database: &dyn Packages,
) -> Result<(), Error> {
    let root = state.world.root;
    let Some((owner, stem)) = by.owner.and_then(|owner| Some((owner, owner.strip_prefix("lib")?))) else {
        return Ok(());
    };
    for parent in PARENTS.into_iter().filter_map(RootPath::new) {
        let Some(real) = root.follow(parent.as_bytes())?.dir().cloned() else { continue };
        for name in root.list(&real)? {
            let path = parent.join(&name);
            let is_alike = name.len() >= MIN_NAME && stem.as_bytes().starts_with(&name);
            if !is_alike || named_paths::is_elsewhere(state, &path) || !names(state, by.object, &path)? {
                continue;
            }
            let Some(real) = root.follow(path.as_bytes())?.dir().cloned() else { continue };
            let helpers = divide(state, (by.object, None), (&path, &real))?;
            for taken in &helpers.taken {
                // A link may lead to a file that belongs to another package.
                let followed = root.follow(taken.as_bytes())?;
                let package = followed.file().map_or(Ok(None), |(real, _)| state.world.owner(real))?;
                if package.is_some_and(|package| database.is_same_source(owner, &package)) {
                    demands.push(file(by, taken, path.as_bytes()));
                }
            }
        }
    }
    Ok(())
}

/// True if the path is a whole string of the object.
fn names(state: &State<'_>, object: &RootPath, path: &RootPath) -> Result<bool, Error> {
    Ok(!state.world.whole_strings(object, std::iter::once(path.as_bytes()))?.is_empty())
}

/// Divides what packages other than `own` have in the directory `real`, spelled `path` in the program.
fn divide(
    state: &State<'_>,
    (object, own): (&RootPath, Option<&str>),
    (path, real): (&RootPath, &RootPath),
) -> Result<Helpers, Error> {
    let root = state.world.root;
    let mut found = Vec::new();
    root.visit(real, &mut |below, meta| {
        if matches!(meta.kind, FileKind::File | FileKind::Link) {
            found.push(below.clone());
        }
        Ok(if found.len() < MAX_SEEN { Visit::Enter } else { Visit::End })
    })?;
    if found.len() == MAX_SEEN {
        let says = format!("{object} names it: what it has beyond {MAX_SEEN} files is not packed");
        root.leave_unread(real, says);
    }
    let owners = state.world.owners(&found)?;
    let (mut helpers, mut data, mut targets, mut size) = (Helpers::default(), Vec::new(), BTreeSet::new(), 0);
    for below in found {
        let owner = owners.get(&below).map(String::as_str);
        let followed = root.follow(below.as_bytes())?;
        let Some((target, meta)) = followed.file() else { continue };
        if owner.is_some() && owner == own
            || !meta.is_for_all()
            || system().not_run.cover(target)
            || state.is_excluded(&below)
        {
            continue;
        }
        let spelled = RootPath::new([path.as_bytes(), &below.as_bytes()[real.as_bytes().len()..]].concat());
        if meta.mode & 0o111 != 0 || state.world.is_elf(target)? {
            helpers.left.push(below);
        } else {
            // Several links may lead to one file.
            size += if targets.insert(target.clone()) { meta.size } else { 0 };
            data.extend(spelled.map(|spelled| (spelled, target.clone())));
        }
    }
    if data.len() <= MAX_FILES && size <= MAX_SIZE {
        helpers.taken = data.into_iter().map(|(path, _)| path).collect();
        return Ok(helpers);
    }
    let named: BTreeSet<&[u8]> = state.world.whole_strings(object, data.iter().map(|(path, _)| path.name()))?;
    // Another link to a file that comes adds nothing, and is the name by which users ask for it.
    let comes: BTreeSet<RootPath> =
        data.iter().filter(|(path, _)| named.contains(path.name())).map(|(_, target)| target.clone()).collect();
    for (path, target) in data {
        if comes.contains(&target) { helpers.taken.push(path) } else { helpers.left.push(path) }
    }
    Ok(helpers)
}
