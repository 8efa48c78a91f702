//! Libraries that an object declares in `.note.dlopen` (UAPI specification "ELF dlopen metadata").

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Missing, Open};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::elf::Priority;
use crate::error::Error;

pub(super) const RULE: Rule = Rule {
    id: "dlopen-note",
    about: "Packs libraries that the .note.dlopen section of an object lists as required or recommended.",
    brings_packages: true,
    facts: &[On::Resolved],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Resolved(id) = fact else { return Ok(Vec::new()) };
    let process = &state.processes.get(id).process;
    let mut demands = Vec::new();
    for (index, object) in process.loaded.iter().enumerate().skip(process.inherited) {
        for note in object.elf.dlopen.iter().filter(|note| note.priority >= Priority::Recommended) {
            let reason = |name: &String| {
                let (name, feature, priority) = (name.clone(), note.feature.clone(), note.priority);
                Reason::Dlopen { name, feature, priority }
            };
            demands.push(Demand::Open(Open {
                host: id,
                requester: index,
                from: Some(object.real.clone()),
                names: note.sonames.iter().map(|name| (name.clone().into_bytes(), reason(name))).collect(),
                required: note.priority == Priority::Required,
                missing: Some(Missing::Noted(object.real.clone(), note.clone())),
            }));
        }
    }
    Ok(demands)
}
