//! Programs that modules of Erlang and Elixir start. Only modules count that import a function which starts programs, and
//! that no package of the distribution owns: those of an application or of its release.

use super::named_programs::is_program;
use super::{On, Rule};
use crate::closure::demand::{Demand, Start};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, path_of};
use crate::error::Error;
use crate::language::{is_word, shell_words};
use crate::path::{RootPath, show};
use crate::world::{command_line, program_in_path};

pub(super) const RULE: Rule = Rule {
    id: "beam-programs",
    about: "Packs programs whose names, paths or command lines are literals of Erlang's and Elixir's modules that start \
            programs.",
    brings_packages: true,
    facts: &[On::Held],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    let Fact::Held(at) = fact else { return Ok(demands) };
    let (module, host) = &state.archives[at];
    if state.request.companions == Companions::None || state.is_done(RULE.id, &module.to_string()) {
        return Ok(demands);
    }
    let root = state.world.root;
    let found = state.embedded.of(root, module)?.filter(|found| !found.literals.is_empty());
    let Some(found) = found else { return Ok(demands) };
    if state.world.owner(module)?.is_some() {
        return Ok(demands);
    }
    demands.push(Demand::Done(module.to_string()));
    let machine = &state.processes.get(*host).process.loaded[0].real;
    let path = path_of(&state.request.env);
    let start = |program: &RootPath, words: Option<Vec<String>>, why: String| {
        let start = state.start_by(machine, program, why, false);
        let words = words.unwrap_or_else(|| start.words.clone());
        Demand::Start(Start { from: Some(module.clone()), words, ..start })
    };
    for text in &found.literals {
        let first = text.split(' ').next().unwrap_or_default();
        let is_path = first.starts_with('/');
        let program = match is_path {
            true => RootPath::new(first).filter(|path| is_program(state, module, path).unwrap_or_default()),
            false => program_in_path(root, path, first)?.filter(|path| !state.is_excluded(path)),
        };
        let Some(program) = program else { continue };
        if first == text {
            if is_path || !is_word(first.as_bytes()) {
                let why = format!("{module} starts programs and has its name as a literal");
                demands.push(start(&program, None, why));
            }
        } else if command_line(text).is_some() || is_piped(text) {
            let why = format!("{module} has the command line `{}` as a literal", show(text.as_bytes()));
            demands.push(start(&program, Some(shell_words(text)), why));
        }
    }
    Ok(demands)
}

/// True for a text with an operator of the shell between words.
fn is_piped(text: &str) -> bool {
    [" | ", " && ", " || ", "; ", " > ", " < "].iter().any(|sign| text.contains(sign))
}
