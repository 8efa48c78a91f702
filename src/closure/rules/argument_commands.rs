//! Commands among the arguments of a program that is no wrapper of a table: `dotenv -- NAME ARG…`, `concurrently "NAME
//! ARG" "NAME ARG"`. Whether the program starts them cannot be known in general, so the evidence must be strong: the
//! program can start others, and the first word of the command is a program in PATH.

use super::{On, Rule};
use crate::closure::demand::{Demand, Start};
use crate::closure::launch::{Launch, Launched};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Reason, path_of};
use crate::error::Error;
use crate::language::{Certainty, is_script_runner, runs_others, shell_words};
use crate::root::FileKind;
use crate::world::program_in_path;

pub(super) const RULE: Rule = Rule {
    id: "argument-commands",
    about: "Packs programs that a program gets as a command among its arguments: after `--`, or as one argument such as \"NAME -x\".",
    brings_packages: true,
    facts: &[On::Launched],
    on,
};

const EXECUTABLE: u32 = 0o111;

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let Fact::Launched(id) = fact else { return Ok(Vec::new()) };
    let launched = state.launches.get(id);
    let launch = &launched.launch;
    if launched.certainty < Certainty::Likely || !may_start(state, launched)? {
        return Ok(Vec::new());
    }
    let mut commands = Vec::new();
    if let Some(at) = launch.args.iter().position(|arg| arg == "--")
        && let Some(first) = launch.args.get(at + 1)
        && is_program(state, launch, first)?
    {
        commands.push(launch.args[at + 1..].to_vec());
    }
    for arg in &launch.args {
        if is_command_line(state, launch, arg)? {
            commands.push(shell_words(arg));
        }
    }
    let why = format!("{} gets it as a command in its arguments", launch.program);
    let start = |words| {
        let reason = Reason::Command { why: why.clone() };
        let start = Start::likely(words, (&launch.cwd, &launch.env), reason);
        Demand::Start(Start { starter: Some(id), from: Some(launch.program.clone()), ..start })
    };
    Ok(commands.into_iter().map(start).collect())
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

/// True for one argument that is a command line: a program and, after it, an option or a file; a program by its path and
/// anything after it; or a script that a runner starts.
fn is_command_line(state: &State<'_>, launch: &Launch, arg: &str) -> Result<bool, Error> {
    let mut words = arg.split_whitespace();
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return Ok(false) };
    if !is_program(state, launch, first)? {
        return Ok(false);
    }
    if first.contains('/') || second.starts_with('-') || is_script_runner(first) {
        return Ok(true);
    }
    Ok(state.world.root.follow_from(&launch.cwd, second.as_bytes())?.file().is_some())
}

/// True if a word leads to a program: a path from the working directory of the launch, or a name in its PATH.
fn is_program(state: &State<'_>, launch: &Launch, word: &str) -> Result<bool, Error> {
    let root = state.world.root;
    if !word.contains('/') {
        return Ok(program_in_path(root, path_of(&launch.env), word)?.is_some());
    }
    let followed = root.follow_from(&launch.cwd, word.as_bytes())?;
    Ok(followed.file().is_some_and(|(_, meta)| meta.kind == FileKind::File && meta.mode & EXECUTABLE != 0))
}
