//! Commands of other packages that sources of a script's package name. The script's language may pass such a name through
//! its own functions, so nothing shows that the command is started; the package's dependencies say that it may be.

use std::collections::BTreeSet;

use super::{On, Rule};
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::path_of;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language::{Certainty, is_word};
use crate::path::{RootPath, show};
use crate::root::FileKind;
use crate::world::tables::system;

pub(super) const RULE: Rule = Rule {
    id: "source-commands",
    about: "Reports commands of packages that a script's package depends on or recommends, and that its sources name.",
    brings_packages: false,
    facts: &[On::Launched],
    on,
};

/// Bytes at the beginning of a file by which data are told from text.
const HEAD: usize = 256;
/// Maximum size of a source that is read, and maximum number of sources.
const MAX_SOURCE: usize = 1 << 20;
const MAX_SOURCES: usize = 4096;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    let launched = state.launches.get(id);
    if launched.certainty != Certainty::Sure || launched.is_helper || launched.scripts.is_empty() {
        return Ok(Vec::new());
    }
    let (Some(package), Some(database)) = (state.world.owner(&launched.real)?, state.world.database()?) else {
        return Ok(Vec::new());
    };
    if state.is_done(RULE.id, &package) {
        return Ok(Vec::new());
    }
    let mut demands = vec![Demand::Done(package.clone())];
    let commands = state.world.commands(path_of(&launched.launch.env))?;
    let owners: BTreeSet<&String> = commands.values().filter(|owner| **owner != package).collect();
    let owners: BTreeSet<&String> = owners
        .into_iter()
        .filter(|owner| database.wants(&package, owner) && !database.is_same_source(&package, owner))
        .collect();
    let is_name = |path: &RootPath| path.name().len() > 1 && !is_word(path.name());
    let mut open: Vec<(&RootPath, &String)> =
        commands.iter().filter(|(path, owner)| owners.contains(owner) && is_name(path)).collect();
    if open.is_empty() {
        return Ok(demands);
    }
    for source in sources(state, &package, database.same_source_dependencies(&package))? {
        let text = state.world.root.read(&source, MAX_SOURCE)?;
        open.retain(|(path, owner)| {
            let is_named = names(&text, path.name());
            if is_named && !state.is_excluded(path) {
                let name = show(path.name());
                let why =
                    format!("{source} names {name}, and the package {package} depends on {owner} or recommends it");
                demands.push(Demand::Report(Message::Offered { program: (*path).clone(), why }));
            }
            !is_named
        });
    }
    Ok(demands)
}

/// The texts of a package and of others from its source, without documentation.
fn sources(state: &State<'_>, package: &str, others: Vec<String>) -> Result<Vec<RootPath>, Error> {
    let root = state.world.root;
    let mut found = BTreeSet::new();
    for package in std::iter::once(package.to_owned()).chain(others) {
        for path in state.world.contents(&package)?.iter().filter(|path| !system().not_run.cover(path)) {
            let is_file = root.meta(path)?.is_some_and(|meta| meta.kind == FileKind::File && meta.size > 0);
            // Machine code, archives and databases contain such bytes early.
            if !is_file || root.head(path, HEAD)?.iter().any(|byte| *byte < b'\t') {
                continue;
            }
            if found.len() == MAX_SOURCES {
                root.leave_unread(path, format!("sources after the first {MAX_SOURCES} of a package are not read"));
                return Ok(found.into_iter().collect());
            }
            found.insert(path.clone());
        }
    }
    Ok(found.into_iter().collect())
}

/// True if a text has the name in quotes, alone or as the first word, or as the end of a path.
fn names(text: &[u8], name: &[u8]) -> bool {
    memchr::memmem::find_iter(text, name).any(|at| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let is_quote = |byte: &u8| b"\"'`".contains(byte);
        let is_path = before.ends_with(b"bin/");
        let ends = after.first().is_none_or(|byte| is_quote(byte) || byte.is_ascii_whitespace() || *byte == b'<');
        ends && (is_path || before.last().is_some_and(is_quote))
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_name_in_quotes_or_behind_a_directory_of_programs_counts() {
        let named = |text: &str| names(text.as_bytes(), b"git");
        assert!(named("run(['git', 'log'])") && named("run(\"git log\")") && named("cmd /usr/bin/git\n"));
        assert!(!named("'git://host/x'") && !named("a git log") && !named("'github'") && !named("'.git'"));
    }
}
