//! `--include`: matches of a pattern, directories with everything in them, symlinks with their targets.

use std::collections::HashSet;
use std::sync::Arc;

use super::{On, Rule};
use crate::closure::demand::{Demand, Host};
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Reason, Unmatched};
use crate::error::Error;
use crate::profile::Need;
use crate::root::FileKind;

pub(super) const RULE: Rule = Rule {
    id: "include",
    about: "Packs files that match a pattern of --include, with what ELF files among them need.",
    brings_packages: false,
    facts: &[On::Begin],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for pattern in &state.request.include {
        let reason = Arc::new(Reason::Included { pattern: pattern.as_str().to_owned() });
        let found = state.world.root.matching(pattern)?;
        if found.is_empty() {
            let what = pattern.as_str().to_owned();
            let unmatched = Unmatched { who: "--include".to_owned(), what, need: Need::Expected };
            demands.push(Demand::Report(Message::Unmatched(unmatched)));
        }
        // A directory includes its contents, which a pattern such as /data/** names one by one.
        let mut dirs = HashSet::new();
        for path in &found {
            let is_dir = state.world.root.meta(path)?.is_some_and(|meta| meta.kind == FileKind::Dir);
            if is_dir && !state.is_excluded(path) {
                dirs.insert(path.clone());
            }
        }
        for start in found {
            if start.parent().is_some_and(|parent| dirs.contains(&parent)) {
                continue;
            }
            let reason = Arc::clone(&reason);
            demands.push(Demand::Tree { start, reason, without: None, host: Host::Main, by: None });
        }
    }
    Ok(demands)
}
