//! Carries out demands for files that programs of the root make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Worklist;
use crate::closure::message::{Message, Note};
use crate::closure::request::Pyc;
use crate::closure::rules::Rule;
use crate::closure::{DEFAULT_PATH, NodeKind, Reason, Unmade};
use crate::error::Error;
use crate::guest::{Guest, Interpreter, Refused};
use crate::path::{RootPath, show};

const BYTECODE_MODE: u32 = 0o644;

/// The place where programs of the root may be run, if the request wants their output.
pub struct Workshop<'a> {
    /// The guest, or the reason why no program of the root can be run.
    pub guest: Result<Guest, Refused>,
    /// True if the user wants to stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Worklist<'_> {
    /// Adds bytecode. If none can be made, only the sources are packed, and the reason is reported.
    pub(super) fn compile(
        &mut self,
        rule: &'static Rule,
        program: &RootPath,
        sources: Vec<RootPath>,
    ) -> Result<(), Error> {
        self.state.compiled.entry(program.clone()).or_default().extend(sources.iter().cloned());
        let what = self.state.request.pyc.option().to_owned();
        let made = match self.workshop {
            Some(Workshop { guest: Ok(guest), stop }) => self.compiled(guest, *stop, program, sources)?,
            Some(Workshop { guest: Err(Refused(why)), .. }) => Err(Refused(why.clone())),
            None => Err(Refused("programs of the root cannot be run here".to_owned())),
        };
        let made = match made {
            Ok(made) => made,
            Err(Refused(why)) => {
                self.report(Message::Unmade(Unmade { what, why }));
                return Ok(());
            }
        };
        for bytecode in made.bytecode {
            let why = format!("bytecode of {}, made by {program} of the root ({what})", bytecode.source);
            let kind = NodeKind::MadeFile { mode: BYTECODE_MODE, bytes: bytecode.bytes.into() };
            let reason = Arc::new(Reason::Made { group: "Python bytecode", why });
            self.state.graph.add(Some(&bytecode.source), &bytecode.path, kind, rule.id, &reason);
        }
        if made.not_compiled > 0 {
            let (count, name) = (made.not_compiled, program.name());
            let says = format!("Python sources without bytecode, which {} cannot compile: {count}", show(name));
            self.report(Message::Note(Note::new("bytecode-not-compiled", program.to_string(), says)));
        }
        Ok(())
    }

    fn compiled(
        &mut self,
        guest: &Guest,
        stop: &(dyn Fn() -> bool + Sync),
        program: &RootPath,
        mut sources: Vec<RootPath>,
    ) -> Result<Result<crate::guest::Made, Refused>, Error> {
        let env = self.image_env();
        if self.state.request.pyc == Pyc::Used {
            let loaded = match self.loaded_at_start(guest, stop, &env)? {
                Ok(loaded) => loaded,
                Err(refused) => return Ok(Err(refused)),
            };
            let root = self.state.world.root;
            let mut is_loaded = BTreeSet::new();
            let all: BTreeSet<&RootPath> = self.state.compiled.values().flatten().collect();
            for source in &all {
                let real = root.follow(source.as_bytes())?.file().map(|(real, _)| real.clone());
                if loaded.contains(*source) || real.is_some_and(|real| loaded.contains(&real)) {
                    is_loaded.insert((*source).clone());
                }
            }
            sources.retain(|source| is_loaded.contains(source));
            let what = self.state.request.pyc.option();
            let says = format!("{what}: a start loads {} of {} Python sources", is_loaded.len(), all.len());
            self.report(Message::Note(Note::new("bytecode-used", what, says).slot(what.to_owned())));
        }
        Ok(guest.bytecode(&Interpreter { program, env: &env }, &sources, stop))
    }

    /// The sources that a trial start of the entry loads, by their paths and their real paths.
    fn loaded_at_start(
        &mut self,
        guest: &Guest,
        stop: &(dyn Fn() -> bool + Sync),
        env: &BTreeMap<String, String>,
    ) -> Result<Result<BTreeSet<RootPath>, Refused>, Error> {
        if let Some(known) = &self.trial {
            return Ok(Ok(known.clone()));
        }
        let Some(entry) = self.state.entries.first() else { return Ok(Ok(BTreeSet::new())) };
        let cwd = self.state.request.workdir.clone().unwrap_or_else(RootPath::root);
        let seen = match guest.sources_of_start(&entry.path, &entry.args, env, &cwd, stop) {
            Ok(seen) => seen,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut loaded = BTreeSet::new();
        for path in seen {
            loaded.extend(self.state.world.root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone()));
            loaded.insert(path);
        }
        self.trial = Some(loaded.clone());
        Ok(Ok(loaded))
    }

    /// The environment of the image.
    fn image_env(&self) -> BTreeMap<String, String> {
        let mut env = self.state.env.clone();
        env.insert("PATH".to_owned(), DEFAULT_PATH.to_owned());
        env.extend(self.state.request.env.clone());
        env
    }
}
