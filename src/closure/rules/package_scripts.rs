//! Helper scripts of a package that its own program starts. The evidence: the program imports a function that starts
//! programs and contains the name of the script or of its directory; or settings beside the script name it.

use super::{On, Rule};
use crate::closure::demand::{Demand, Start};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language::system_shell;
use crate::path::RootPath;
use crate::root::FileKind;
use crate::world::is_named_after;
use crate::world::tables::system;

pub(super) const RULE: Rule = Rule {
    id: "package-scripts",
    about: "Packs the interpreters of helper scripts that a program of the same package starts.",
    brings_packages: true,
    facts: &[On::Brought],
    on,
};

const EXECUTABLE: u32 = 0o111;
/// Bytes at the beginning of a file by which machine code is told from text.
const HEAD: usize = 64;
/// Maximum size of settings that are searched for names of scripts.
const MAX_SETTINGS: usize = 64 << 10;
/// The depth of a package's own directory, such as /usr/share/NAME.
const OWN_DEPTH: usize = 3;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Brought(at) = fact else { return Ok(Vec::new()) };
    let (package, object) = &state.brought[at];
    let mut demands = Vec::new();
    // Only packed files: a script left to a claim or a profile is ignored.
    for path in state.world.contents(package)?.iter() {
        let followed = state.world.root.follow(path.as_bytes())?;
        let real = followed.file().map(|(real, _)| real).filter(|real| state.graph.contains(real));
        if let Some(real) = real {
            helper(state, &mut demands, std::slice::from_ref(object), package, (path, real))?;
        }
    }
    Ok(demands)
}

/// Starts a script that a package has among its own files, if one of these objects names it or its directory.
pub(super) fn helper(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    objects: &[RootPath],
    package: &str,
    (path, real): (&RootPath, &RootPath),
) -> Result<(), Error> {
    let (world, root) = (&*state.world, state.world.root);
    // Elsewhere, scripts are examples, hooks of other programs, or for administrators (FHS 3.0, 4.6, 4.7 and 4.11).
    let is_place = system().helpers.cover(path) || path.as_bytes().starts_with(b"/usr/share/");
    if !is_place || !is_named_after(path, package) {
        return Ok(());
    }
    if root.meta(real)?.is_none_or(|meta| meta.kind != FileKind::File || meta.mode & EXECUTABLE == 0) {
        return Ok(());
    }
    let dir = real.parent().unwrap_or_else(RootPath::root);
    let head = root.head(real, HEAD)?;
    if let (false, Some(object)) = (head.starts_with(b"\x7fELF") || head.contains(&0), objects.first())
        && let Some(settings) = settings_with(state, &dir, real.name())?
    {
        let why = format!("{settings} names it, which the package {package} installs beside it");
        let start = state.start_by(object, real, why, true);
        // A shell runs a text without an interpreter, and so do execvp(3) and system(3).
        let words = match head.starts_with(b"#!") {
            true => start.words,
            false => vec![system_shell().to_owned(), real.to_string()],
        };
        demands.push(Demand::Start(Start { words, ..start }));
        return Ok(());
    }
    if !head.starts_with(b"#!") {
        return Ok(());
    }
    for object in objects {
        if root.head(object, 2)? == b"#!" {
            // A script names the directory of a tree that it copies or walks, and a common word is no name of a script.
            let deep = |dir: &&RootPath| dir.as_bytes().iter().filter(|byte| **byte == b'/').count() > OWN_DEPTH;
            let mut dirs = real.ancestors().into_iter().filter(|dir| deep(&dir));
            let named = dirs.find_map(|dir| match world.contains(object, dir.as_bytes()) {
                Ok(false) => None,
                found => Some(found.map(|_| dir)),
            });
            if let Some(dir) = named.transpose()? {
                let why = format!("{object} names {dir}, where the package {package} installs it");
                demands.push(Demand::Start(state.start_by(object, real, why, false)));
                break;
            }
            continue;
        }
        if !world.starts_programs(object)? {
            continue;
        }
        if world.contains(object, dir.as_bytes())? || world.contains(object, real.name())? {
            let why = format!("{object} names {dir}, where the package {package} installs it, and starts programs");
            demands.push(Demand::Start(state.start_by(object, real, why, true)));
            break;
        }
    }
    Ok(())
}

/// The settings in a directory that name a file in it.
fn settings_with(state: &State<'_>, dir: &RootPath, name: &[u8]) -> Result<Option<RootPath>, Error> {
    let root = state.world.root;
    for other in root.list(dir)? {
        let path = dir.join(&other);
        let is_file = || Ok::<_, Error>(root.meta(&path)?.is_some_and(|meta| meta.kind == FileKind::File));
        if other != name && system().script_settings_endings.end(&other) && is_file()? {
            let text = root.read(&path, MAX_SETTINGS)?;
            let is_end = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
            let is_word = |at: usize| is_end(text[..at].last()) && is_end(text.get(at + name.len()));
            if memchr::memmem::find_iter(&text, name).any(is_word) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}
