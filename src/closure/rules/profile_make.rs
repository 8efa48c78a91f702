//! Files, directories and variables that an applied profile creates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{On, Rule, applied};
use crate::closure::demand::Demand;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{NodeKind, Reason};
use crate::error::Error;
use crate::profile::{Make, MakeContent};
use crate::root::RootGlob;

pub(super) const RULE: Rule = Rule {
    id: "profile-make",
    about: "Makes files, directories and variables that an applied profile declares, such as accounts and /tmp.",
    brings_packages: false,
    facts: &[On::Applied],
    on,
};

/// Directories of name service modules, as parts of patterns.
const LIBRARIES: [&str; 6] = ["lib", "lib64", "usr/lib", "usr/lib64", "lib/*", "usr/lib/*"];
/// Services without a module of their own since glibc 2.34.
const BUILT_IN: [&str; 3] = ["files", "dns", "db"];
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
        MakeContent::Services(text) => return Ok(services(state, make, text)?.into_bytes().into()),
        MakeContent::Locked => return locked(state),
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

/// The lines of the root's nsswitch.conf with the services whose modules the root has (nsswitch.conf(5)). The given text
/// if there is no such file, or if it lists only services that are built into glibc.
fn services(state: &State<'_>, make: &Make, text: &str) -> Result<String, Error> {
    let root = state.world.root;
    let Some((_, own)) = root.read_followed(make.path.as_bytes(), MAX_ACCOUNTS)? else { return Ok(text.to_owned()) };
    let own = String::from_utf8_lossy(&own);
    let mut modules = BTreeMap::new();
    for service in super::nsswitch::services(&own) {
        let pattern = format!("/{{}}/libnss_{service}.so.2");
        let mut is_there = false;
        for dir in LIBRARIES {
            let glob = RootGlob::new(&pattern.replace("{}", dir))?;
            is_there |= !root.matching(&glob)?.is_empty();
        }
        modules.insert(service, is_there);
    }
    let is_built_in = |name: &str| BUILT_IN.contains(&name);
    if !modules.iter().any(|(name, is_there)| *is_there && !is_built_in(name)) {
        return Ok(text.to_owned());
    }
    let is_there = |name: &str| is_built_in(name) || modules.get(name).copied().unwrap_or_default();
    Ok(super::nsswitch::kept(&own, is_there))
}

/// A line for each account of the root, with a password that nothing matches and without dates (shadow(5)).
fn locked(state: &State<'_>) -> Result<Arc<[u8]>, Error> {
    let own = state.world.root.read_followed(b"/etc/passwd", MAX_ACCOUNTS)?.map(|(_, bytes)| bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&own);
    let names =
        text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).filter(|name| !name.is_empty());
    Ok(names.map(|name| format!("{name}:*:::::::\n")).collect::<String>().into_bytes().into())
}
