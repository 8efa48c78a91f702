//! Libraries that an applied profile opens in the programs of the image.

use super::{On, Rule, applied};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Open};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;

pub(super) const RULE: Rule = Rule {
    id: "profile-open",
    about: "Packs libraries that an applied profile opens by name in the programs of the image.",
    brings_packages: false,
    facts: &[On::Applied, On::Changed],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for (_, profile, done) in applied(state, RULE.id, fact, |profile| !profile.open.is_empty()) {
        demands.push(done);
        for rule in &profile.open {
            let reason = || Reason::Profile { profile: profile.name.clone(), why: rule.why.clone() };
            let hosts = state.processes.iter().filter(|(_, started)| started.required && started.program.is_none());
            for (host, _) in hosts {
                let names = rule.sonames.iter().map(|name| (name.clone().into_bytes(), reason())).collect();
                let (from, missing) = (None, None);
                demands.push(Demand::Open(Open { host, requester: 0, from, names, required: false, missing }));
            }
        }
    }
    Ok(demands)
}
