//! Programs that a program of the same family starts: `NAME SUB …` starts `NAME-SUB …`, as many tools with sub-commands do.

use super::{On, Rule};
use crate::closure::demand::{Demand, Start};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Reason, path_of};
use crate::error::Error;
use crate::language::{Certainty, runs_others};
use crate::world::program_in_path;

pub(super) const RULE: Rule = Rule {
    id: "subcommand",
    about: "Packs the program NAME-SUB beside a program NAME, or in PATH, that gets SUB as its first argument.",
    brings_packages: true,
    facts: &[On::Launched],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    let launched = state.launches.get(id);
    let launch = &launched.launch;
    let called = &launch.program;
    let name = String::from_utf8_lossy(called.name()).into_owned();
    let is_word = |word: &String| {
        let is_sign = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        word.chars().all(is_sign) && word.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    let Some((first, rest)) = launch.args.split_first().filter(|(first, _)| is_word(first)) else {
        return Ok(Vec::new());
    };
    if launched.certainty < Certainty::Likely || runs_others(&name) {
        return Ok(Vec::new());
    }
    let family = format!("{name}-{first}");
    let beside = called.parent().map(|dir| dir.join(family.as_bytes()).to_string());
    for candidate in beside.into_iter().chain([family]) {
        let Some(program) = program_in_path(state.world.root, path_of(&launch.env), &candidate)? else { continue };
        let from = Some(called.clone());
        let words = std::iter::once(program.to_string()).chain(rest.iter().cloned()).collect();
        let why = format!("{name} gets {first} as its command, and there is a program {name}-{first}");
        let start = Start::likely(words, (&launch.cwd, &launch.env), Reason::Command { why });
        return Ok(vec![Demand::Start(Start { starter: Some(id), from, ..start })]);
    }
    Ok(Vec::new())
}
