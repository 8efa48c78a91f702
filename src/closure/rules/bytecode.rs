//! Bytecode of the Python sources in the image, compiled by the root's own interpreter because the user requested it.
//! Bytecode that the builder left in `__pycache__` stays out: it contains timestamps, and the interpreter ignores it
//! once these change.

use std::collections::BTreeSet;

use super::{On, Rule};
use crate::closure::NodeKind;
use crate::closure::demand::Demand;
use crate::closure::request::Pyc;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language;
use crate::path::{RootPath, show};

/// The last of all rules, so that the interpreter starts once for nearly all sources.
pub(super) const RULE: Rule = Rule {
    id: "bytecode",
    about: "Adds Python bytecode that the root's own interpreter made (--pyc).",
    brings_packages: false,
    facts: &[On::Changed],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    if state.request.pyc == Pyc::None {
        return Ok(Vec::new());
    }
    let all = sources(state)?;
    let mut demands = Vec::new();
    for program in interpreters(state)? {
        let own = own_version(&program);
        let known = state.compiled.get(&program);
        let is_new = |source: &&RootPath| known.is_none_or(|known| !known.contains(*source));
        let sources: Vec<RootPath> =
            all.iter().filter(|source| fits(source, own.as_deref())).filter(is_new).cloned().collect();
        if !sources.is_empty() {
            demands.push(Demand::Compile { program, sources });
        }
    }
    Ok(demands)
}

/// The sources in the image. Bytecode lies next to the path through which the module is imported, so a symlink to a
/// source counts as well.
fn sources(state: &State<'_>) -> Result<BTreeSet<RootPath>, Error> {
    let mut found = BTreeSet::new();
    for (path, node) in state.graph.nodes().iter().filter(|(path, _)| path.name().ends_with(b".py")) {
        let is_source = match node {
            NodeKind::File(_) => true,
            NodeKind::Link(..) => {
                let followed = state.world.root.follow(path.as_bytes())?;
                followed.file().is_some_and(|(real, _)| state.graph.contains(real))
            }
            _ => false,
        };
        if is_source {
            found.insert(path.clone());
        }
    }
    Ok(found)
}

/// Packed interpreters, and for programs that embed one, the interpreter of the same version in PATH.
///
/// # Errors
/// `unreadable`.
pub(in crate::closure) fn interpreters(state: &State<'_>) -> Result<BTreeSet<RootPath>, Error> {
    let mut found = BTreeSet::new();
    for started in state.processes.as_slice().iter().filter(|started| started.required) {
        let program = &started.process.loaded[0];
        let name = show(program.real.name());
        if language::reads_bytecode(&name) {
            found.insert(program.real.clone());
            continue;
        }
        let sonames = started.process.loaded.iter().filter_map(|object| object.elf.soname.as_ref());
        for soname in sonames.filter(|soname| soname.starts_with(b"libpython3.")) {
            let name = show(soname);
            let version = name.trim_start_matches("libpython").split(".so").next().unwrap_or_default().to_owned();
            for dir in state.request.path().split(':') {
                let program = format!("{dir}/python{version}");
                found.extend(state.world.root.follow(program.as_bytes())?.file().map(|(real, _)| real.clone()));
            }
        }
    }
    Ok(found)
}

/// `python3.11` for an interpreter with its version in the name.
fn own_version(program: &RootPath) -> Option<String> {
    let name = show(program.name()).into_owned();
    name.contains('.').then_some(name)
}

/// True for a source that is not in the library of another version.
fn fits(source: &RootPath, own: Option<&str>) -> bool {
    let Some(own) = own else { return true };
    let is_other = |part: &[u8]| {
        let part = show(part);
        (part.starts_with("python3.") || part.starts_with("pypy3.")) && part != own
    };
    !source.as_bytes().split(|b| *b == b'/').any(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_other_versions_are_left_alone() {
        let path = |text| RootPath::new(text).expect("a path");
        let own = own_version(&path("/usr/bin/python3.11"));
        assert!(fits(&path("/usr/lib/python3.11/os.py"), own.as_deref()));
        assert!(fits(&path("/app/main.py"), own.as_deref()));
        assert!(!fits(&path("/usr/local/lib/python3.12/os.py"), own.as_deref()));
        assert!(fits(&path("/usr/local/lib/python3.12/os.py"), own_version(&path("/usr/bin/python3")).as_deref()));
    }
}
