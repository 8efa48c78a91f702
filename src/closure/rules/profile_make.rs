//! Files, directories and variables that an applied profile creates.

use std::sync::Arc;

use super::{On, Rule, applied};
use crate::closure::demand::Demand;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{NodeKind, Reason};
use crate::error::Error;
use crate::profile::{Make, MakeContent};

pub(super) const RULE: Rule = Rule {
    id: "profile-make",
    about: "Makes files, directories and variables that an applied profile declares, such as accounts and /tmp.",
    brings_packages: false,
    facts: &[On::Applied],
    on,
};

/// Maximum size of an account file.
const MAX_ACCOUNTS: usize = 4 << 20;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for (_, profile, done) in applied(state, RULE.id, fact, |_| false) {
        demands.push(done);
        let reason = |why: &String| Reason::Profile { profile: profile.name.clone(), why: why.clone() };
        for make in &profile.make {
            let kind = NodeKind::MadeFile { mode: make.mode, bytes: content(state, make)? };
            let merges = matches!(make.content, MakeContent::Accounts(_));
            demands.push(Demand::Make { path: make.path.clone(), kind, reason: reason(&make.why), merges });
        }
        for dir in &profile.dir {
            let kind = NodeKind::MadeDir { mode: dir.mode, owner: dir.owner };
            demands.push(Demand::Make { path: dir.path.clone(), kind, reason: reason(&dir.why), merges: false });
        }
        demands.extend(profile.env.iter().map(|(name, value)| Demand::Env(name.clone(), value.clone())));
    }
    Ok(demands)
}

fn content(state: &State<'_>, make: &Make) -> Result<Arc<[u8]>, Error> {
    let lines = match &make.content {
        MakeContent::Text(text) => return Ok(text.as_bytes().into()),
        MakeContent::Accounts(lines) => lines,
    };
    let own = state.world.root.read_followed(make.path.as_bytes(), MAX_ACCOUNTS)?;
    let mut bytes = own.map(|(_, bytes)| bytes).unwrap_or_default();
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    for line in lines {
        let name = line.split_inclusive(':').next().unwrap_or(line);
        if !bytes.split(|b| *b == b'\n').any(|own| own.starts_with(name.as_bytes())) {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
    }
    Ok(bytes.into())
}
