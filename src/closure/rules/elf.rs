//! Everything that the loader reads for a process: interpreter, libraries, preload lists, audit libraries, and files
//! that a better CPU would load.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Host};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::loader::{self, Answer, Conditions, FoundBy, Role};
use crate::path::RootPath;

pub(super) const RULE: Rule = Rule {
    id: "elf",
    about: "Packs what the dynamic loader reads for a program or plug-in: interpreter, libraries, preload lists.",
    brings_packages: true,
    facts: &[On::Resolved],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Resolved(id) = fact else { return Ok(Vec::new()) };
    let started = state.processes.get(id);
    let process = &started.process;
    let cwd = &started.conditions.cwd;
    let subject = process.subject().real.clone();
    let path = |from: &RootPath, path: &[u8], reason: Reason| Demand::Path {
        from: Some(from.clone()),
        cwd: cwd.clone(),
        path: path.to_vec(),
        reason: Arc::new(reason),
        host: Host::None,
    };
    let mut demands = Vec::new();
    for object in started.own_objects() {
        if matches!(object.role, Role::Interpreter | Role::Shim) {
            demands.push(path(&subject, &object.path, Reason::Interpreter));
        }
    }
    for object in started.own_objects() {
        for need in &object.needs {
            let Answer::Object { index, by, via } = &need.answer else { continue };
            let reason = match by {
                FoundBy::Preload => Reason::Preload,
                by => Reason::Needed { name: need.name.clone(), by: *by, via: via.clone() },
            };
            demands.push(path(&object.real, &process.loaded[*index].path, reason));
        }
    }
    let reader = process.loaded.iter().find(|object| object.role == Role::Interpreter);
    let reader = reader.map_or(&subject, |object| &object.real);
    // The plan rewrites the loader's cache, keeping only entries whose files are in the image.
    for (_, file) in process.reads.iter().filter(|(what, _)| *what != loader::Reads::Cache) {
        demands.push(path(reader, file, Reason::LoaderReads));
    }
    for audit in &process.audits {
        if let Some(library) = audit.loaded.get(audit.inherited) {
            demands.push(path(&subject, &library.path, Reason::Audit));
            let (process, conditions) = (audit.clone(), started.conditions.clone());
            demands.push(Demand::Enter { process, conditions, program: id });
        }
    }
    if started.program.is_none() && state.request.cpu.is_none() {
        let levels: BTreeSet<&String> = process.variants.iter().map(|variant| &variant.level).collect();
        for level in levels {
            let conditions = Conditions { cpu: Some(level.clone()), ..started.conditions.clone() };
            let better = loader::load(state.world.objects, &process.loaded[0].path, &conditions, None)?;
            let known: BTreeSet<&RootPath> = process.loaded.iter().map(|object| &object.real).collect();
            for object in better.loaded.iter().filter(|object| object.role == Role::Library) {
                if !known.contains(&object.real) {
                    let from = object.loader.map_or(&subject, |at| &better.loaded[at].real);
                    demands.push(path(from, &object.path, Reason::Variant { level: level.clone() }));
                }
            }
        }
    }
    Ok(demands)
}
