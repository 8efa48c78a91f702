//! Files that the program of an applied profile starts because they are in a certain directory, such as the run scripts
//! of a service directory.

use std::rc::Rc;

use super::settings::values;
use super::{On, Rule, applied};
use crate::closure::Reason;
use crate::closure::demand::{Demand, Start};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language::Certainty;

pub(super) const RULE: Rule = Rule {
    id: "profile-start",
    about: "Starts files that the program of a profile finds in its directories, such as the run scripts of services.",
    brings_packages: false,
    facts: &[On::Applied, On::Changed],
    on,
};

const EXECUTABLE: u32 = 0o111;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    let root = state.world.root;
    for (_, profile, done) in applied(state, RULE.id, fact, |profile| !profile.start.is_empty()) {
        demands.push(done);
        if let Some(says) = &profile.note {
            let note = Note::new("launch-note", profile.name.clone(), says.clone());
            demands.push(Demand::Report(Message::Note(note)));
        }
        let values = values(state, profile)?;
        let starter = state.configured_launches(profile).next();
        let (cwd, env) = match starter.map(|id| &state.launches.get(id).launch) {
            Some(launch) => (launch.cwd.clone(), Rc::clone(&launch.env)),
            None => (state.request.conditions().cwd, Rc::new(state.request.env.clone())),
        };
        for rule in &profile.start {
            for glob in rule.paths.iter().flat_map(|place| place.filled(&values)) {
                for path in root.matching(&glob)? {
                    let followed = root.follow(path.as_bytes())?;
                    if followed.file().is_none_or(|(_, meta)| meta.mode & EXECUTABLE == 0) {
                        continue;
                    }
                    // A supervisor enters the directory of the service.
                    let own = path.parent().unwrap_or_else(|| cwd.clone());
                    let reason = Reason::Profile { profile: profile.name.clone(), why: rule.why.clone() };
                    let start = Start::likely(vec![path.to_string()], (&own, &env), reason);
                    demands.push(Demand::Start(Start { starter, certainty: Certainty::Sure, ..start }));
                }
            }
        }
    }
    Ok(demands)
}
