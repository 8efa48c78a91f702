//! Files that an applied profile takes from the root.

use std::rc::Rc;
use std::sync::Arc;

use super::settings::values;
use super::{On, Rule, applied};
use crate::closure::demand::{Demand, Host};
use crate::closure::message::Message;
use crate::closure::state::{Applied, State};
use crate::closure::worklist::Fact;
use crate::closure::{Reason, Unmatched};
use crate::error::Error;
use crate::loader;
use crate::path::RootPath;
use crate::profile::{Need, Profile, Take, Values};
use crate::root::{Root, RootGlob};

pub(super) const RULE: Rule = Rule {
    id: "profile-take",
    about: "Packs files of the root that an applied profile takes.",
    brings_packages: false,
    facts: &[On::Applied, On::Changed],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for (one, profile, done) in applied(state, RULE.id, fact, |profile| !profile.probe.is_empty()) {
        demands.push(done);
        let values = values(state, profile)?;
        for take in &profile.take {
            take_files(state, &mut demands, (one, profile), take, &values)?;
        }
    }
    Ok(demands)
}

fn take_files(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    (one, profile): (&Applied, &Profile),
    take: &Take,
    values: &Values,
) -> Result<(), Error> {
    let root = state.world.root;
    if take.glibc_before.is_some_and(|release| !is_before(state, release)) {
        return Ok(());
    }
    let reason = Arc::new(Reason::Profile { profile: profile.name.clone(), why: take.why.clone() });
    let exclude: Rc<Vec<RootGlob>> = Rc::new(take.exclude.iter().flat_map(|place| place.filled(values)).collect());
    let alternates = take.first.iter().map(|pattern| (pattern, true));
    let mut any = false;
    for (pattern, is_alternate) in alternates.chain(take.paths.iter().map(|pattern| (pattern, false))) {
        let mut found = Vec::new();
        for glob in pattern.filled(values) {
            found.extend(root.matching(&glob)?);
            if is_alternate && !found.is_empty() {
                break;
            }
        }
        any |= !found.is_empty();
        let is_last = is_alternate && !found.is_empty();
        for start in found {
            let reason = Arc::clone(&reason);
            if !take.links_only {
                let exclude = Rc::clone(&exclude);
                let is_out = move |_: &Root, path: &RootPath| exclude.iter().any(|glob| glob.covers(path));
                let host = if take.elf { host_of(one) } else { Host::None };
                demands.push(Demand::Tree { start, reason, without: Some(Rc::new(is_out)), host, by: None });
                continue;
            }
            // Keep the symlink with its target directory, but without the directory's contents.
            let followed = root.follow(start.as_bytes())?;
            if !followed.hops.is_empty() && followed.dir().is_some() {
                let (cwd, path) = (RootPath::root(), start.as_bytes().to_vec());
                demands.push(Demand::Path { from: None, cwd, path, reason, host: Host::None });
            }
        }
        if is_last {
            break;
        }
    }
    // Only profiles that the user requested report rules without matches; for automatic ones, the report does.
    if !any && one.sign.is_none() && !one.is_hidden && take.need != Need::Optional {
        let (who, what) = (format!("profile {}", profile.name), take.why.clone());
        demands.push(Demand::Report(Message::Unmatched(Unmatched { who, what, need: take.need })));
    }
    Ok(())
}

/// The process in which plug-ins of a profile are opened: that of the object that is the evidence for it.
pub(super) fn host_of(one: &Applied) -> Host {
    one.object.clone().map_or(Host::Main, Host::With)
}

/// True if a process has a glibc older than this release. A glibc of unknown release counts as old.
fn is_before(state: &State<'_>, release: (u32, u32)) -> bool {
    let facts = state.processes.as_slice().iter().filter_map(|started| started.process.constants.as_ref());
    let mut glibc = facts.filter(|constants| constants.family == loader::Family::Glibc);
    glibc.any(|constants| constants.release.is_none_or(|own| own < release))
}
