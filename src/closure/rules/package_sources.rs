//! Sources of a program's package in a language that no rule reads and that the program embeds: plug-ins in Lua. The
//! literal command lines in them are followed if the package is that of the command, or may use it.

use super::{On, Rule};
use crate::closure::demand::{Demand, Start};
use crate::closure::message::{Message, Note};
use crate::closure::path_of;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language::{Certainty, MAX_TEXT, started_by_source, system_shell};
use crate::path::{RootPath, show};
use crate::world::program_in_path;

pub(super) const RULE: Rule = Rule {
    id: "package-sources",
    about: "Follows literal command lines in a package's sources that its program embeds, such as plug-ins in Lua.",
    brings_packages: true,
    facts: &[On::Brought],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Brought(at) = fact else { return Ok(Vec::new()) };
    let (package, object) = &state.brought[at];
    let root = state.world.root;
    let path = path_of(&state.request.env);
    let (mut demands, mut unread) = (Vec::new(), Vec::new());
    let contents = state.world.contents(package)?;
    for source in contents.iter() {
        let followed = root.follow(source.as_bytes())?;
        // Only packed files: what a claim or a profile leaves out is ignored.
        let Some(real) = followed.file().map(|(real, _)| real).filter(|real| state.graph.contains(real)) else {
            continue;
        };
        let text = || root.read(real, MAX_TEXT);
        let Some(found) = started_by_source(root, path, source.name(), text)? else { continue };
        for line in found.lines {
            demands.extend(command(state, (package, object), source, line)?);
        }
        unread.extend(found.others.map(|others| (source, others)));
    }
    let is_sure = state.starter(object).is_some_and(|id| state.launches.get(id).certainty == Certainty::Sure);
    if let Some((first, others)) = unread.first().filter(|_| is_sure) {
        let more = if unread.len() > 1 { format!(" and {} more files", unread.len() - 1) } else { String::new() };
        let says = format!(
            "{first}{more} of the package {package} start programs whose names slimroot cannot read: they are not \
             packed{others}"
        );
        demands.push(Demand::Report(Message::Note(Note::new("script-not-read", first.to_string(), says))));
    }
    Ok(demands)
}

/// Starts a command line, or reports its program if nothing says that the package may use it.
fn command(
    state: &State<'_>,
    (package, object): (&str, &RootPath),
    source: &RootPath,
    line: String,
) -> Result<Option<Demand>, Error> {
    let name = line.split(|c: char| c.is_whitespace() || "|&;<>()".contains(c)).next().unwrap_or_default();
    let Some(program) = program_in_path(state.world.root, path_of(&state.request.env), name)? else { return Ok(None) };
    if state.is_excluded(&program) {
        return Ok(None);
    }
    let followed = state.world.root.follow(program.as_bytes())?;
    let owner = followed.file().map_or(Ok(None), |(real, _)| state.world.owner(real))?;
    let needed = state.world.needed_by(package)?;
    let may_use = owner.is_none_or(|owner| needed.is_none_or(|needed| needed.contains(&owner)));
    let why = format!("{source} starts it: {}", show(line.as_bytes()));
    if !may_use {
        return Ok(Some(Demand::Report(Message::Offered { program, why })));
    }
    let words = vec![system_shell().to_owned(), "-c".to_owned(), line];
    let start = state.start_by(object, &program, why, true);
    Ok(Some(Demand::Start(Start { words, ..start })))
}
