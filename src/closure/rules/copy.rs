//! `--copy`: the plan places the files themselves, but the dependencies of ELF files among them are packed too.

use super::{On, Rule};
use crate::closure::Unmatched;
use crate::closure::demand::{Demand, Host};
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::profile::Need;
use crate::root::FileKind;

pub(super) const RULE: Rule = Rule {
    id: "copy",
    about: "Packs the libraries of ELF files that --copy places in the image.",
    brings_packages: false,
    facts: &[On::Begin],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let root = state.world.root;
    let mut demands = Vec::new();
    for (from, _) in &state.request.copies {
        let followed = root.follow(from.as_bytes())?;
        let Some((start, meta)) = followed.found().map(|(real, meta)| (real.clone(), *meta)) else {
            let unmatched = Unmatched { who: "--copy".to_owned(), what: from.to_string(), need: Need::Required };
            demands.push(Demand::Report(Message::Unmatched(unmatched)));
            continue;
        };
        let files = if meta.kind == FileKind::Dir { root.below(&start)? } else { vec![start] };
        for real in files {
            if root.meta(&real)?.is_some_and(|meta| meta.kind == FileKind::File) {
                demands.push(Demand::Resolve { real, host: Host::Main });
            }
        }
    }
    Ok(demands)
}
