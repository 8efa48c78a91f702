//! The final steps, which require everything else to be known, in order: trust stores, package records, suggestions and
//! notes.

mod excluded;
mod notes;
mod records;
mod suggested;
mod trust;

pub use suggested::Suggested;

use std::collections::BTreeSet;

use super::launch::Launched;
use super::state::State;
use super::{AppliedProfile, Closure, Request};
use crate::error::Error;
use crate::language::changed_user;

/// Creates a closure with only the processes, before any rule has run.
pub(super) fn processes(state: State<'_>) -> Closure {
    Closure { entries: state.entries, processes: state.processes.into_vec(), ..Closure::default() }
}

/// Creates the closure after all rules are done.
///
/// # Errors
/// `unreadable`.
pub(super) fn seal(mut state: State<'_>) -> Result<Closure, Error> {
    let suggested = suggested::find(&state)?;
    records::add(&mut state)?;
    let authorities = trust::add(&mut state)?;
    let request: &Request = state.request;
    let level = request.cpu.as_deref().and_then(|level| level.strip_prefix("x86-64-v")?.parse().ok());
    let mut closure = Closure { cpu_level: level.unwrap_or(1), ..Closure::default() };
    closure.users = users(&state);
    notes::tell(&state, &mut closure)?;
    excluded::tell(&state, &mut closure)?;
    let State { graph, processes, claims, entries, env, applied, foreign, dangling, not_packed, unopened, .. } = state;
    let claimed = claims.dirs().clone();
    closure = Closure { graph, processes: processes.into_vec(), entries, env, claimed, ..closure };
    closure = Closure { foreign, dangling, not_packed, unopened, suggested, authorities, ..closure };
    let applied_profiles = applied.iter().filter_map(|one| Some((one.profile.as_str(), one.sign.as_ref()?)));
    let sums = closure.brought_by(applied_profiles.clone().map(|(profile, _)| profile));
    let applied_profiles = applied_profiles.map(|(profile, sign)| {
        let (files, bytes) = sums.get(profile).copied().unwrap_or_default();
        AppliedProfile { profile: profile.to_owned(), because: sign.says.clone(), files, bytes }
    });
    let applied_profiles = applied_profiles.collect();
    Ok(Closure { applied_profiles, ..closure })
}

/// The users to which the entry's script changes.
fn users(state: &State<'_>) -> BTreeSet<String> {
    let Some(entry) = state.launches.roots.first() else { return BTreeSet::new() };
    let is_of_entry = |launched: &&Launched| launched.starters.contains(entry);
    let started = state.launches.iter().map(|(_, launched)| launched).filter(is_of_entry);
    let changed = started.filter_map(|launched| {
        let name = String::from_utf8_lossy(launched.launch.program.name());
        changed_user(&name, &launched.launch.args).map(str::to_owned)
    });
    changed.collect()
}
