//! Commands among the arguments of a program that is no wrapper of a table: `dotenv -- NAME ARG…`, `concurrently "NAME
//! ARG" "NAME ARG"`. Whether the program starts them cannot be known in general, so the evidence must be strong: the
//! program can start others, and the first word of the command is a program in PATH.

use std::rc::Rc;

use super::{On, Rule};
use crate::closure::demand::{Demand, Start};
use crate::closure::launch::Launched;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Reason, path_of};
use crate::error::Error;
use crate::language::{Certainty, is_script_runner, runs_others, shell_words};
use crate::path::RootPath;
use crate::world::program_in_path;

pub(super) const RULE: Rule = Rule {
    id: "argument-commands",
    about: "Packs programs that a program gets as a command among its arguments: after `--`, or as one argument such as \"NAME -x\".",
    brings_packages: true,
    facts: &[On::Launched],
    on,
};

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    let launched = state.launches.get(id);
    let launch = &launched.launch;
    if launched.certainty < Certainty::Likely || !may_start(state, launched)? {
        return Ok(Vec::new());
    }
    let mut commands = Vec::new();
    if let Some(at) = launch.args.iter().position(|arg| arg == "--") {
        commands.push(launch.args[at + 1..].to_vec());
    }
    for arg in &launch.args {
        if is_command_line(state, launched, arg)? {
            commands.push(shell_words(arg));
        }
    }
    let mut demands = Vec::new();
    for words in commands {
        let Some(first) = words.first() else { continue };
        if program_in_path(state.world.root, path_of(&launch.env), first)?.is_none() {
            continue;
        }
        demands.push(Demand::Start(Start {
            starter: Some(id),
            from: Some(launch.program.clone()),
            reason: Reason::Command { why: format!("{} gets it as a command in its arguments", launch.program) },
            words,
            cwd: launch.cwd.clone(),
            env: Rc::clone(&launch.env),
            certainty: Certainty::Likely,
            is_exec: false,
            is_helper: false,
            tells_missing: false,
        }));
    }
    Ok(demands)
}

/// True for a script, and for a program whose objects import a function that starts programs. The arguments of wrappers
/// and interpreters are understood exactly by other rules.
fn may_start(state: &State<'_>, launched: &Launched) -> Result<bool, Error> {
    let is_known = |name: &[u8]| std::str::from_utf8(name).is_ok_and(runs_others);
    if launched.launch.args.is_empty() || launched.called().any(is_known) {
        return Ok(false);
    }
    if !launched.scripts.is_empty() {
        return Ok(true);
    }
    state.world.starts_programs(&launched.real)
}

/// True for one argument that is a command line: a program in PATH and, after it, an option or a file; or a script that
/// a runner starts.
fn is_command_line(state: &State<'_>, launched: &Launched, arg: &str) -> Result<bool, Error> {
    let mut words = arg.split_whitespace();
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return Ok(false) };
    let launch = &launched.launch;
    if program_in_path(state.world.root, path_of(&launch.env), first)?.is_none() {
        return Ok(false);
    }
    if second.starts_with('-') || is_script_runner(first) {
        return Ok(true);
    }
    let path = RootPath::new(launch.cwd.join(second.as_bytes()).as_bytes());
    Ok(path.is_some_and(|path| state.world.root.follow(path.as_bytes()).is_ok_and(|end| end.file().is_some())))
}
