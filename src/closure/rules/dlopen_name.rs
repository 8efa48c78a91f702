//! Libraries whose names a program contains. It probably opens them, but a name that is not found is not reported.

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Open};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;

pub(super) const RULE: Rule = Rule {
    id: "dlopen-name",
    about: "Packs libraries whose names are whole strings of a program that imports dlopen(3) or the like.",
    brings_packages: true,
    facts: &[On::Required],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Required(id) = fact else { return Ok(Vec::new()) };
    let started = state.processes.get(id);
    let program = &started.process.loaded[0].real;
    if started.process.constants.is_none() || !state.world.opens_libraries(program)? {
        return Ok(Vec::new());
    }
    let open = |name: &Vec<u8>| {
        Demand::Open(Open {
            host: id,
            requester: 0,
            from: Some(program.clone()),
            names: vec![(name.clone(), Reason::Opens { name: name.clone() })],
            required: false,
            missing: None,
        })
    };
    Ok(state.world.library_names(program)?.iter().map(open).collect())
}
