//! Directories that applications and languages claim.

use std::sync::Arc;

use super::{On, Rule};
use crate::closure::Reason;
use crate::closure::claims::Settled;
use crate::closure::demand::{Demand, Host};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;

pub(super) const RULE: Rule = Rule {
    id: "claim",
    about: "Packs directories that belong to an application or language, without what their language leaves out.",
    brings_packages: true,
    facts: &[On::Changed],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    if !state.claims.is_open() {
        return Ok(Vec::new());
    }
    let mut demands = vec![Demand::ClaimsSettled];
    for Settled { dir, without, group, why, launch, rule } in state.claims.settle(&state.launches) {
        let reason = match state.request.stand_ins.get(&dir) {
            Some(why) => Reason::Made { group, why: why.clone() },
            None => Reason::Home { group, why },
        };
        // Extension modules are opened in the process of the program that reads the application.
        let reader = state.launches.get(launch).processes.last().copied();
        let host = reader.map_or(Host::Main, Host::Process);
        let (reason, without) = (Arc::new(reason), Some(without));
        demands.push(Demand::Tree { start: dir, reason, without, host, by: Some(rule) });
    }
    Ok(demands)
}
