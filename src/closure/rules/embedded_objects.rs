//! Libraries that ELF objects inside jars, zip applications and self-extracting programs need. A program unpacks them
//! into a temporary directory and opens them there, so the loader finds what they need in the image.

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Missing, Open};
use crate::closure::message::{Message, Note};
use crate::closure::process::ProcessId;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::embedded::{self, Object};
use crate::error::Error;
use crate::loader::Loaded;
use crate::path::{RootPath, show};
use crate::root::Root;

pub(super) const RULE: Rule = Rule {
    id: "embedded-objects",
    about: "Packs libraries that ELF objects inside jars, zip applications and self-extracting programs need.",
    brings_packages: true,
    facts: &[On::Launched, On::Required, On::Held],
    on,
};

/// Maximum size in bytes of the tables of a stripped program that the kernel does not load.
const MAX_TABLES: u64 = 64 << 10;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let root = state.world.root;
    let mut demands = Vec::new();
    match fact {
        Fact::Launched(id) => {
            let launched = state.launches.get(id);
            if let (Some(script), Some(host)) = (launched.scripts.first(), launched.processes.last())
                && let Some((real, _)) = root.follow(script.as_bytes())?.file()
            {
                demands_of(state, real, *host, &mut demands)?;
            }
        }
        Fact::Required(id) => {
            let started = state.processes.get(id);
            let program = &started.process.loaded[0];
            if started.program.is_none() && has_payload(root, program)? {
                demands_of(state, &program.real, id, &mut demands)?;
                demands.extend(unread(state, &program.real)?);
            }
        }
        Fact::Held(at) => {
            let (archive, host) = &state.archives[at];
            demands_of(state, archive, *host, &mut demands)?;
        }
        _ => {}
    }
    Ok(demands)
}

/// True if a program may carry other files: behind what the kernel loads of it, or compressed in a program that needs no
/// libraries.
fn has_payload(root: &Root, program: &Loaded) -> Result<bool, Error> {
    let end = program.elf.segments.iter().map(|segment| segment.offset.saturating_add(segment.size)).max();
    let size = root.meta(&program.real)?.map_or(0, |meta| meta.size);
    Ok(program.elf.is_static_program() || size.saturating_sub(end.unwrap_or(0)) > MAX_TABLES)
}

/// The demands of the objects in a file.
fn demands_of(state: &State<'_>, file: &RootPath, host: ProcessId, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let answer = format!("{file} {host:?}");
    if state.is_done(RULE.id, &answer) {
        return Ok(());
    }
    demands.push(Demand::Done(answer));
    let Some(found) = state.embedded.of(state.world.root, file)? else { return Ok(()) };
    let process = &state.processes.get(host).process;
    let target = process.loaded[0].elf.target;
    // A file brings objects for several C libraries; those for another one are not loaded. Libraries for musl need
    // `libc.musl-ARCH.so.1` or `libc.so`, those for glibc `libc.so.6`; Android's need `libc.so` too.
    let is_glibc = process.loaded.iter().any(|object| object.name() == b"libc.so.6");
    let is_foreign = |name: &[u8]| name.starts_with(b"libc.musl-") || name == b"libc.so";
    let fits = |object: &Object| object.elf.target == target && !(is_glibc && object.elf.needed().any(is_foreign));
    for (name, object) in found.wants(fits) {
        let shown = show(name);
        let why = format!("{} in {file} needs {shown}", object.member);
        let says = format!("{} in it needs {shown}, which the root does not have", object.member);
        demands.push(Demand::Open(Open {
            host,
            requester: 0,
            from: Some(file.clone()),
            names: vec![(name.to_vec(), Reason::Home { group: "shared libraries and loader", why })],
            required: false,
            missing: Some(Missing::Named(Message::Note(Note::new("embedded-library-missing", file.to_string(), says)))),
        }));
    }
    for object in found.objects.iter().filter(|object| fits(object)) {
        let (name, imports) = (object.name().to_vec(), object.imports.clone());
        demands.push(Demand::Hold { file: file.clone(), name, imports });
    }
    for member in &found.cut {
        let says =
            format!("{member} in it is too large to be examined: add the libraries that it needs with --include");
        demands.push(Demand::Report(Message::Note(Note::new("payload-not-examined", file.to_string(), says))));
    }
    Ok(())
}

/// The message about a payload that is recognised and not read.
fn unread(state: &State<'_>, program: &RootPath) -> Result<Option<Demand>, Error> {
    let Some(payload) = embedded::unread(state.world.root, program)? else { return Ok(None) };
    let says = format!("a program of {}: {}; {}", payload.name, payload.says, payload.help);
    Ok(Some(Demand::Report(Message::Note(Note::new("payload-not-examined", program.to_string(), says)))))
}
