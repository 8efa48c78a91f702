//! Data whose absolute paths are whole strings of sources. A file is packed, and a directory with its contents if they
//! are small; a directory for data of a run is packed without its contents.

use std::sync::Arc;

use super::languages::NAMED;
use crate::closure::Reason;
use crate::closure::demand::{Demand, Host, Start};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Visit};
use crate::world::is_library_dir;
use crate::world::tables::system;

/// Maximum size of a file that is packed because a source names it.
const MAX_FILE: u64 = 16 << 20;
/// Maximum number and total size of the files of a directory that is packed with its contents.
const MAX_FILES: usize = 200;
const MAX_CONTENTS: u64 = 4 << 20;

/// Packs files whose paths appear in sources, or adds a note instead.
pub(super) fn demands(
    state: &State<'_>,
    from: &RootPath,
    is_told: bool,
    named: &[(String, String)],
) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for (text, why) in named {
        let Some(path) = RootPath::new(text).filter(is_data) else { continue };
        if state.is_excluded(&path) || state.claims.cover(&path) || state.claims.lie_below(&path) {
            continue;
        }
        let followed = state.world.root.follow(path.as_bytes())?;
        let Some((real, meta)) = followed.found().map(|(real, meta)| (real.clone(), *meta)) else { continue };
        if !is_data(&real) || state.claims.cover(&real) {
            continue;
        }
        let reason = Arc::new(Reason::Home { group: NAMED, why: why.clone() });
        let mut add = |path: &RootPath| {
            let (from, cwd) = (Some(from.clone()), RootPath::root());
            let (path, reason) = (path.as_bytes().to_vec(), Arc::clone(&reason));
            demands.push(Demand::Path { from, cwd, path, reason, host: Host::None });
        };
        let left = match meta.kind {
            FileKind::File if !meta.is_for_all() => Some("not all users may read it"),
            FileKind::File if meta.size > MAX_FILE => Some("it is large"),
            FileKind::File => {
                add(&path);
                None
            }
            FileKind::Dir if state.is_known_to_a_profile(&real) => {
                Some("profiles decide which of its files are packed, and none takes them here")
            }
            FileKind::Dir => {
                add(&path);
                match small_contents(state, &real)? {
                    Some(_) if is_of_runs(&real) => Some("programs write there when they run"),
                    Some(files) => {
                        files.iter().for_each(add);
                        starts(state, from, &files, why, &mut demands)?;
                        None
                    }
                    None => Some("it has many or large files"),
                }
            }
            _ => None,
        };
        if let Some(cause) = left.filter(|_| is_told) {
            let (what, end) = if meta.kind == FileKind::Dir { ("what is in ", "/**") } else { ("", "") };
            let Some(first) = first(state, &real, meta.kind)? else { continue };
            let says = format!("{why}: {what}{path} is not packed, because {cause}; --include '{path}{end}' adds it");
            let note = Note::new("named-data-left-out", path.to_string(), says).unless(first);
            demands.push(Demand::Report(Message::Note(note)));
        }
    }
    Ok(demands)
}

/// Programs in a directory that is packed with its contents: a source that contains the path of the directory may
/// append their names.
fn starts(
    state: &State<'_>,
    from: &RootPath,
    files: &[RootPath],
    why: &str,
    demands: &mut Vec<Demand>,
) -> Result<(), Error> {
    for file in files {
        let followed = state.world.root.follow(file.as_bytes())?;
        let Some((real, _)) = followed.file() else { continue };
        if state.world.is_elf(real)?
            && state.world.objects.read(real)?.elf.as_ref().is_ok_and(|elf| elf.interp.is_some())
        {
            let why = format!("{why}, and it is a program in that directory");
            demands.push(Demand::Start(Start { tells_missing: false, ..state.start_by(from, file, why, false) }));
        }
    }
    Ok(())
}

/// True for a path of data: not of a program, a library, a system directory, or a file that is always left out.
fn is_data(path: &RootPath) -> bool {
    let system = system();
    let is_elsewhere =
        [&system.commands, &system.kernel, &system.not_run, &system.of_the_builder].iter().any(|dirs| dirs.cover(path));
    let is_library = memchr::memmem::find(path.name(), b".so").is_some() || is_library_dir(path);
    !is_elsewhere && !is_library && !system.shared.contain(path) && !path.as_bytes().starts_with(b"/tmp/")
}

/// The file itself, or the first file in a directory; `None` if there is none, or if only logs are there.
fn first(state: &State<'_>, path: &RootPath, kind: FileKind) -> Result<Option<RootPath>, Error> {
    if kind == FileKind::File {
        return Ok(Some(path.clone()));
    }
    let mut found = None;
    state.world.root.visit(path, &mut |below, meta| {
        if meta.kind == FileKind::File && !system().logs.cover(below) {
            found = Some(below.clone());
        }
        Ok(if found.is_some() { Visit::End } else { Visit::Enter })
    })?;
    Ok(found)
}

/// True for directories that programs fill when they run: their contents in the root are of an earlier run.
fn is_of_runs(dir: &RootPath) -> bool {
    [&b"/var/"[..], b"/run/"].iter().any(|top| dir.as_bytes().starts_with(top))
}

/// The files of a directory, or `None` if they are many or large. Directories below /var and /run are filled in a run, so
/// their contents do not count.
fn small_contents(state: &State<'_>, dir: &RootPath) -> Result<Option<Vec<RootPath>>, Error> {
    let (mut files, mut size, mut is_short) = (Vec::new(), 0, true);
    if is_of_runs(dir) {
        return Ok(Some(files));
    }
    state.world.root.visit(dir, &mut |path, meta| {
        if meta.kind == FileKind::File && meta.is_for_all() && !system().not_run.cover(path) {
            files.push(path.clone());
            size += meta.size;
        } else if meta.kind == FileKind::Link {
            files.push(path.clone());
        }
        is_short = files.len() <= MAX_FILES && size <= MAX_CONTENTS;
        Ok(if is_short { Visit::Enter } else { Visit::End })
    })?;
    Ok(is_short.then_some(files))
}
