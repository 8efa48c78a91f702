//! `--trace`: files that a run opened, mapped, looked up or listed, and programs that it executed. A trace only adds
//! files: another run may need files that are not in the trace.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Host, Start};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::FileKind;
use crate::watch::{Act, Process, Seen, Trace};
use crate::world::tables::system;

pub(super) const RULE: Rule = Rule {
    id: "trace",
    about: "Packs what a run that was watched has used (--trace): files, directories, and programs with what they need.",
    brings_packages: false,
    facts: &[On::Begin],
    on,
};

/// File systems of the kernel, and directories whose files exist only during a run.
const NOT_OF_THE_ROOT: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    let mut known = BTreeSet::new();
    for trace in &state.request.traces {
        let mut absent = 0;
        for (path, seen) in trace.reached() {
            let is_fresh = known.insert((path, seen.act == Act::Exec));
            if is_fresh && !add(state, &mut demands, trace, seen)? {
                absent += 1;
            }
        }
        let lines = [(absent, "paths that are not in the root"), (trace.lost, "uses beyond the limit of a trace")];
        let unread = [(trace.unread, "lines that could not be used")];
        for (count, what) in lines.into_iter().chain(unread).filter(|(count, _)| *count > 0) {
            let note = Note::new("trace-in-part", "--trace", format!("{what}: {count}"));
            demands.push(Demand::Report(Message::Note(note)));
        }
    }
    Ok(demands)
}

/// Adds what was used; false if the root does not have it.
fn add(state: &State<'_>, demands: &mut Vec<Demand>, trace: &Trace, seen: &Seen) -> Result<bool, Error> {
    let root = state.world.root;
    let followed = root.follow(&seen.path)?;
    let Some((real, meta)) = followed.found() else { return Ok(false) };
    let is_elsewhere = |path: &RootPath| {
        NOT_OF_THE_ROOT.iter().filter_map(RootPath::new).any(|dir| path.is_within(&dir))
            || system().of_the_builder.cover(path)
            || state.is_excluded(path)
    };
    let spelled = RootPath::new(&seen.path);
    if real.is_root() || is_elsewhere(real) || spelled.as_ref().is_some_and(is_elsewhere) {
        return Ok(true);
    }
    let reason = Reason::Traced { program: asker(trace, seen), act: seen.act };
    match meta.kind {
        FileKind::File if seen.act == Act::Exec => {
            for process in trace.processes.iter().filter(|process| process.program == seen.path) {
                demands.push(Demand::Start(start(state, process, reason.clone())));
            }
        }
        FileKind::File | FileKind::Dir => {
            let (path, reason) = (seen.path.clone(), Arc::new(reason));
            demands.push(Demand::Path { from: None, cwd: RootPath::root(), path, reason, host: Host::Main });
        }
        _ => {}
    }
    Ok(true)
}

/// The program that used it, as it was called.
fn asker(trace: &Trace, seen: &Seen) -> String {
    let program = trace.processes.get(seen.process).map(|process| process.program.as_slice());
    show(program.filter(|program| !program.is_empty()).unwrap_or(b"a program")).into_owned()
}

fn start(state: &State<'_>, process: &Process, reason: Reason) -> Start {
    let words = std::iter::once(&process.program).chain(&process.arguments);
    let words = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let cwd = state.request.workdir.clone().unwrap_or_else(RootPath::root);
    let start = Start::likely(words, (&cwd, &Rc::new(state.request.env.clone())), reason);
    Start { starter: state.launches.roots.first().copied(), ..start }
}
