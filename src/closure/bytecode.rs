//! Bytecode of the Python sources in the image, compiled by the root's own interpreter because the user requested it.
//! Bytecode that the builder left in `__pycache__` stays out: it contains timestamps, and the interpreter ignores it
//! once these change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rules::BYTECODE;
use super::{Closure, DEFAULT_PATH, NodeKind, Note, Reason, Request, Unmade};
use crate::error::Error;
use crate::guest::{Guest, Interpreter, Refused};
use crate::language;
use crate::path::{RootPath, show};
use crate::root::Root;

const BYTECODE_MODE: u32 = 0o644;

/// The sources for which bytecode is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pyc {
    /// None.
    #[default]
    None,
    /// Those that the entry loads during a trial start.
    Used,
    /// All in the image.
    All,
}

impl Pyc {
    fn option(self) -> &'static str {
        match self {
            Self::None => "--pyc none",
            Self::Used => "--pyc used",
            Self::All => "--pyc all",
        }
    }
}

impl Closure {
    /// Adds bytecode. If none can be made, only the sources are packed, and [`Closure::unmade`] says why.
    ///
    /// # Errors
    /// `unreadable`.
    pub fn add_bytecode(
        &mut self,
        root: &Root,
        request: &Request,
        guest: &Result<Guest, Refused>,
        which: Pyc,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), Error> {
        let interpreters = self.interpreters(root, request)?;
        if which == Pyc::None {
            return Ok(());
        }
        let what = which.option().to_owned();
        let guest = match guest {
            _ if interpreters.is_empty() => return self.leave_unmade(what, "no Python is packed".to_owned()),
            Ok(guest) => guest,
            Err(Refused(why)) => return self.leave_unmade(what, why.clone()),
        };
        let env = self.image_env(request);
        let mut sources = self.sources(root)?;
        if which == Pyc::Used {
            let Some(entry) = self.entries.first() else { return Ok(()) };
            let cwd = request.workdir.clone().unwrap_or_else(RootPath::root);
            let seen = match guest.sources_of_start(&entry.path, &entry.args, &env, &cwd, stop) {
                Ok(seen) => seen,
                Err(Refused(why)) => return self.leave_unmade(what, why),
            };
            let all = sources.len();
            let mut loaded = BTreeSet::new();
            for path in seen {
                loaded.extend(root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone()));
                loaded.insert(path);
            }
            sources.retain(|source, real| loaded.contains(source) || loaded.contains(real));
            let says = format!("{what}: a start loads {} of {all} Python sources", sources.len());
            self.notes.push(Note::new("bytecode-used", what.clone(), says));
        }
        for program in interpreters {
            let own = own_version(&program);
            let sources: Vec<RootPath> = sources.keys().filter(|path| fits(path, own.as_deref())).cloned().collect();
            let made = match guest.bytecode(&Interpreter { program: &program, env: &env }, &sources, stop) {
                Ok(made) => made,
                Err(Refused(why)) => return self.leave_unmade(what, why),
            };
            for bytecode in made.bytecode {
                let why = format!("bytecode of {}, made by {program} of the root ({what})", bytecode.source);
                let kind = NodeKind::MadeFile { mode: BYTECODE_MODE, bytes: bytecode.bytes.into() };
                let reason = Arc::new(Reason::Made { group: "Python bytecode", why });
                self.graph.add(Some(&bytecode.source), &bytecode.path, kind, BYTECODE, &reason);
            }
            if made.not_compiled > 0 {
                let (count, name) = (made.not_compiled, program.name());
                let says = format!("Python sources without bytecode, which {} cannot compile: {count}", show(name));
                self.notes.push(Note::new("bytecode-not-compiled", program.to_string(), says));
            }
        }
        Ok(())
    }

    fn leave_unmade(&mut self, what: String, why: String) -> Result<(), Error> {
        self.unmade.push(Unmade { what, why });
        Ok(())
    }

    /// The environment of the image.
    fn image_env(&self, request: &Request) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("PATH".to_owned(), DEFAULT_PATH.to_owned());
        env.extend(request.env.clone());
        env
    }

    /// The sources in the image, with the real file of each.
    fn sources(&self, root: &Root) -> Result<BTreeMap<RootPath, RootPath>, Error> {
        let mut found = BTreeMap::new();
        for (path, node) in self.graph.nodes().iter().filter(|(path, _)| path.name().ends_with(b".py")) {
            match node {
                NodeKind::File(_) => {
                    found.insert(path.clone(), path.clone());
                }
                // Bytecode is stored next to the path through which the module is imported.
                NodeKind::Link(..) => {
                    let followed = root.follow(path.as_bytes())?;
                    let real = followed.file().map(|(real, _)| real).filter(|real| self.graph.contains(real));
                    found.extend(real.map(|real| (path.clone(), real.clone())));
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Packed interpreters, and for programs that embed one, the interpreter of the same version in PATH.
    fn interpreters(&self, root: &Root, request: &Request) -> Result<BTreeSet<RootPath>, Error> {
        let mut found = BTreeSet::new();
        for started in self.processes.iter().filter(|started| started.required) {
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
                for dir in request.path().split(':') {
                    let program = format!("{dir}/python{version}");
                    found.extend(root.follow(program.as_bytes())?.file().map(|(real, _)| real.clone()));
                }
            }
        }
        Ok(found)
    }
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
