//! Collects the messages of rules that still hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::closure::message::{Message, Note};
use crate::closure::request::Pyc;
use crate::closure::rules::{config_programs, interpreters};
use crate::closure::state::State;
use crate::closure::{Closure, Unmade, path_of};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::world::find_program;

/// Maximum number of programs in a note.
const MAX_SHOWN: usize = 8;
/// Maximum number of further paths that `-v` shows.
const MAX_REST: usize = 200;

/// Distributes the messages to the fields of a closure.
///
/// # Errors
/// `unreadable`.
pub(super) fn tell(state: &State<'_>, closure: &mut Closure) -> Result<(), Error> {
    let (mut lines, mut offers, mut besides) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for message in state.messages.iter() {
        match message {
            Message::Note(note) => {
                if note.unless.as_ref().is_none_or(|path| !is_packed(state, path)) {
                    closure.notes.push(note.clone());
                }
            }
            Message::Unmatched(one) => closure.unmatched.push(one.clone()),
            Message::Unconfigured(one) => closure.unconfigured.push(one.clone()),
            Message::UnresolvedCommand(one) => closure.unresolved.push(one.clone()),
            Message::MissingApplication(one) => missing_application(closure, one),
            Message::Imported(one) => {
                closure.imported.entry(one.file.clone()).or_insert_with(|| one.why.clone());
            }
            Message::MissingModule(one) => closure.missing_modules.push(one.clone()),
            Message::Withheld { object, pattern, files } => {
                let left = files.iter().filter(|file| !state.graph.contains(file)).count();
                if left > 0 {
                    closure.notes.push(withheld(object, pattern, left));
                }
            }
            Message::Unmade(one) => closure.unmade.push(one.clone()),
            Message::Beside { program, dir, left } => {
                let (programs, unnamed) =
                    besides.entry(dir).or_insert_with(|| (BTreeSet::new(), left.iter().collect::<BTreeSet<_>>()));
                programs.insert(program.clone());
                unnamed.retain(|path| left.contains(path));
            }
            Message::Delegated { file, line } => lines.push((file, line)),
            Message::Offered { program, why } => drop(offers.entry(program).or_insert(why)),
        }
    }
    if state.request.pyc != Pyc::None && interpreters(state)?.is_empty() {
        let (what, why) = (state.request.pyc.option().to_owned(), "no Python is packed".to_owned());
        closure.unmade.push(Unmade { what, why });
    }
    report_unpacked_commands(state, closure, &lines)?;
    offered(state, closure, &offers)?;
    for (dir, (programs, left)) in besides {
        let left: BTreeSet<RootPath> = left.into_iter().filter(|path| !is_packed(state, path)).cloned().collect();
        if !left.is_empty() {
            let says = format!(
                "not named by {} and not packed from {dir}: {}; --include '{dir}/…' adds them",
                names(&programs),
                names(&left)
            );
            closure.notes.push(Note::new("beside-not-packed", dir.to_string(), says).rest(rest(&left)));
        }
    }
    of_the_build(state, closure);
    let unread = state.world.root.unread().into_iter();
    closure.notes.extend(unread.map(|(path, says)| Note::new("read-in-part", path.to_string(), says)));
    closure.notes.sort();
    closure.notes.dedup();
    Ok(())
}

/// Reports files of the build that lie in directories of the application and are left out.
fn of_the_build(state: &State<'_>, closure: &mut Closure) {
    let left = state.claims.of_the_build.borrow();
    let left: BTreeSet<RootPath> = left.iter().filter(|path| !state.graph.contains(path)).cloned().collect();
    let Some(first) = left.first() else { return };
    let says = format!("files of the build are left out: {}; --include adds one", paths(&left));
    closure.notes.push(Note::new("build-files-left-out", first.to_string(), says).rest(rest(&left)));
}

/// Reports a missing application once, even if several launches name it, with the highest certainty.
fn missing_application(closure: &mut Closure, one: &crate::language::MissingApplication) {
    let known =
        closure.missing_applications.iter_mut().find(|known| known.word == one.word && known.program == one.program);
    match known {
        Some(known) => known.is_certain |= one.is_certain,
        None => closure.missing_applications.push(one.clone()),
    }
}

/// True if the path, or something below it, is in the image.
fn is_packed(state: &State<'_>, path: &RootPath) -> bool {
    let is_dir = matches!(state.graph.get(path), None | Some(crate::closure::NodeKind::Dir(_)));
    let below = |known: &RootPath| known != path && known.is_within(path);
    match is_dir {
        true => state.graph.nodes().range(path.clone()..).take(2).any(|(known, _)| below(known)),
        false => true,
    }
}

fn withheld(object: &RootPath, pattern: &str, left: usize) -> Note {
    let files = if left == 1 { "a file".to_owned() } else { format!("{left} files") };
    let says = format!(
        "{object} names {files} that not everybody may read, left out as a secret of the builder's: \
         --include '{pattern}' adds what it needs"
    );
    Note::new("secret-left-out", pattern, says)
}

/// Reports programs in command lines that the root has but the image lacks. They are not packed, because one of them
/// may be larger than the whole image, and most are for features that are not used. There is one note per configuration
/// file.
fn report_unpacked_commands(
    state: &State<'_>,
    closure: &mut Closure,
    lines: &[(&RootPath, &String)],
) -> Result<(), Error> {
    // Per file: the programs that it starts, and further programs in the same lines, which the shell starts.
    let mut found: BTreeMap<&RootPath, [BTreeSet<RootPath>; 2]> = BTreeMap::new();
    let cwd = state.request.conditions().cwd;
    let present =
        |name: &String| find_program(state.world.root, name.as_bytes(), &cwd, path_of(&state.request.env)).ok();
    let is_in = |path: &RootPath| {
        let followed = state.world.root.follow(path.as_bytes());
        followed.is_ok_and(|followed| followed.file().is_some_and(|(real, _)| state.graph.contains(real)))
    };
    for (file, line) in lines {
        let programs = config_programs(line);
        // Skip the line if its first program is missing, because the others depend on it.
        let Some(first) = programs.first().and_then(present) else { continue };
        let [starts, besides] = found.entry(file).or_default();
        besides.extend(programs[1..].iter().filter_map(present).filter(|path| !is_in(path)));
        starts.extend((!is_in(&first)).then_some(first));
    }
    for (file, [mut starts, besides]) in found {
        starts.retain(|path| !besides.contains(path));
        let Some(first) = starts.first().cloned() else { continue };
        let besides = match besides.is_empty() {
            true => String::new(),
            false => format!("; some lines start {} too, by /bin/sh", names(&besides)),
        };
        let (starts, more) = (names(&starts), rest(&starts));
        let says = format!("{file} starts {starts}, in the root and not packed: --bin {first} adds one{besides}");
        closure.notes.push(Note::new("command-not-packed", file.to_string(), says).rest(more));
    }
    Ok(())
}

/// Reports programs of the root that sources of packages name and can do without, and that nothing else needs.
fn offered(state: &State<'_>, closure: &mut Closure, offers: &BTreeMap<&RootPath, &String>) -> Result<(), Error> {
    let mut left = BTreeMap::new();
    for (program, why) in offers {
        let followed = state.world.root.follow(program.as_bytes())?;
        if followed.file().is_some_and(|(real, _)| !state.graph.contains(real)) {
            left.insert((*program).clone(), *why);
        }
    }
    let Some((first, why)) = left.first_key_value() else { return Ok(()) };
    let left: BTreeSet<RootPath> = left.keys().cloned().collect();
    let all = names(&left);
    let says = format!(
        "packages can start {all}, in the root and not packed, because they do without or nothing shows that they do: \
         --bin {first} ({why}) adds one"
    );
    closure.notes.push(Note::new("program-optional", first.to_string(), says).rest(rest(&left)));
    Ok(())
}

/// The names of programs, up to the maximum.
fn names(paths: &BTreeSet<RootPath>) -> String {
    list(paths, |path| show(path.name()).into_owned())
}

/// Paths, up to the maximum.
fn paths(paths: &BTreeSet<RootPath>) -> String {
    list(paths, |path| show(path.as_bytes()).into_owned())
}

/// The paths that a list of their names only counts.
fn rest(paths: &BTreeSet<RootPath>) -> Vec<String> {
    paths.iter().skip(MAX_SHOWN).take(MAX_REST).map(RootPath::to_string).collect()
}

fn list(paths: &BTreeSet<RootPath>, shown: impl Fn(&RootPath) -> String) -> String {
    let first: Vec<_> = paths.iter().take(MAX_SHOWN).map(shown).collect();
    match paths.len().saturating_sub(MAX_SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more (-v names them)", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{MAX_SHOWN, names, rest};
    use crate::path::RootPath;

    #[test]
    fn what_a_list_only_counts_the_rest_names() {
        let paths: BTreeSet<RootPath> =
            (0..MAX_SHOWN + 2).filter_map(|at| RootPath::new(format!("/bin/{at}"))).collect();
        let (says, more) = (names(&paths), rest(&paths));
        assert!(says.ends_with(" and 2 more (-v names them)"), "{says}");
        assert!(
            paths
                .iter()
                .all(|path| says.contains(&*String::from_utf8_lossy(path.name())) != more.contains(&path.to_string())),
            "{says} {more:?}"
        );
        let few: BTreeSet<RootPath> = paths.into_iter().take(MAX_SHOWN).collect();
        assert!(rest(&few).is_empty() && !names(&few).contains("more"));
    }
}
