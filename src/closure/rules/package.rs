//! `--package`: the files of a package, its commands and libraries too.

use super::package_files::{bring, is_not_run};
use super::{On, Rule};
use crate::closure::Unmatched;
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::profile::Need;

pub(super) const RULE: Rule = Rule {
    id: "package",
    about: "Packs the files of a package that --package names, without documents, manuals, translations and headers.",
    brings_packages: false,
    facts: &[On::Begin],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for package in &state.request.packages {
        let contents = state.world.contents(package)?;
        if contents.is_empty() {
            let unmatched = Unmatched { who: "--package".to_owned(), what: package.clone(), need: Need::Required };
            demands.push(Demand::Report(Message::Unmatched(unmatched)));
        }
        for path in contents.iter().filter(|path| !is_not_run(path, package) && !state.is_excluded(path)) {
            bring(state, &mut demands, None, package, path)?;
        }
    }
    Ok(demands)
}
