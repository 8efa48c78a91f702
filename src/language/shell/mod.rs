//! Shell scripts are read in two ways. The parser finds the programs that are started, with their arguments and working
//! directory. In addition, every word that is the name of a program in PATH counts as a program that may be started, so
//! that programs passed around in variables are not missed.

mod output;
mod run;
mod table;
mod tree;
mod words;

use std::collections::BTreeSet;
use std::rc::Rc;

use self::run::{MAX_STARTS, Reader};
use self::table::table;
use super::source::application as app;
use super::source::interpreters::Tongue;
use super::{Call, Certainty, Claim, Command, Needs, Scope, Start};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;
use crate::world::program_in_path as program;
use crate::world::tables::system;

pub use run::UnresolvedCommand;
pub(in crate::language) use tree::{Script, parse};

/// Maximum size of a script that is read, and maximum number of scripts per call.
const MAX_SCRIPT: usize = 512 << 10;
const MAX_SCRIPTS: usize = 64;
pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some(shell) = call.program(|name| Tongue::Shell.is_run_by(name))? else {
        return Ok(Needs::default());
    };
    // If another language's interpreter runs the script, the shell rules do not apply.
    let mut reader = Reader::new(call, &shell.1);
    if let Some((script, args)) = script(call)? {
        let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? else {
            return Ok(Needs::default());
        };
        reader.script(&script, &String::from_utf8_lossy(&text), &args)?;
        list(call, &mut reader.needs, script)?;
    } else if let Some(at) = call.args.iter().position(|word| is_c(word))
        && let Some(text) = call.args.get(at + 1)
    {
        let args = call.args.get(at + 3..).unwrap_or_default();
        reader.script(&shell.0, text, args)?;
        for word in words(text) {
            if let Some(path) = program(call.root, call.path, word)? {
                let why = format!("the command has the word {word}");
                reader.needs.commands.push(Command { name: path.to_string(), certainty: Certainty::Possible, why });
            }
        }
    } else {
        let waits = format!(
            "{} runs the commands that it gets when it runs: programs that they start are not packed; give a script behind \
             it, or add programs with --bin",
            shell.0
        );
        return Ok(Needs { waits: call.args.is_empty().then_some(waits), ..Needs::default() });
    }
    let mut needs = reader.needs;
    if needs.starts.len() > MAX_STARTS {
        needs.starts.truncate(MAX_STARTS);
        needs.cut(format!(
            "{} starts more than {MAX_STARTS} programs: how it calls the others was not read; --bin adds one",
            call.scripts.first().unwrap_or(&shell.0)
        ));
    }
    if let Some(script) = call.scripts.first() {
        handed_over(call, script, &mut needs)?;
    }
    // The parser knows the arguments and environment of a program that is started; the bare name adds nothing.
    let started: BTreeSet<String> = needs.starts.iter().map(|start| start.words[0].clone()).collect();
    needs.commands.retain(|command| !started.contains(&command.name));
    // npm and pnpm shims do not define an application directory; the Node rules do.
    if !app::is_shim(call) {
        needs.claims.extend(app::plain_claims(call, "application")?);
    }
    Ok(needs)
}

/// A script that ends in `exec "$@"` starts its arguments, even if the parser did not see it. How often it shifts them is
/// not known: the command begins at the first argument, behind `--`, or at an absolute path.
fn handed_over(call: &Call<'_>, script: &RootPath, needs: &mut Needs) -> Result<(), Error> {
    let behind = call.args.iter().position(|word| word == "--").map(|at| at + 1);
    let absolute = call.args.iter().position(|word| word.starts_with('/'));
    let places: BTreeSet<usize> = [Some(0), behind, absolute].into_iter().flatten().collect();
    for at in places {
        let Some((first, rest)) = call.args.get(at..).and_then(<[String]>::split_first) else { continue };
        let Some(path) = program(call.root, call.path, first)? else { continue };
        let is_read = |start: &Start| start.words[1..] == *rest && start.words[0] == path.to_string();
        if !needs.starts.iter().any(is_read) {
            let why = format!("{script} starts its arguments");
            let start = Start::of(call, call.args[at..].to_vec(), why);
            needs.starts.push(Start { is_exec: at == 0 && start.is_exec, ..start });
        }
    }
    Ok(())
}

fn is_c(word: &str) -> bool {
    word.starts_with('-') && word.ends_with('c') && !word.starts_with("--") && word.len() < 6
}

/// The script that is run, through its `#!` line or as an argument of the shell, and the script's arguments.
fn script(call: &Call<'_>) -> Result<Option<(RootPath, Vec<String>)>, Error> {
    if let Some(script) = call.scripts.first() {
        return Ok(Some((script.clone(), call.args.to_vec())));
    }
    if call.args.iter().any(|word| is_c(word)) {
        return Ok(None);
    }
    let is_applet = |word: &str| Tongue::Shell.is_run_by(word);
    let at = call.args.iter().position(|word| !word.starts_with('-') && !is_applet(word));
    let Some(at) = at else { return Ok(None) };
    Ok(call.file(&call.args[at])?.map(|file| (file, call.args[at + 1..].to_vec())))
}

/// Adds the programs and files that a script's words name, and does the same for the scripts among those files.
fn list(call: &Call<'_>, needs: &mut Needs, script: RootPath) -> Result<(), Error> {
    let mut open = vec![script];
    let mut seen = BTreeSet::new();
    while let Some(script) = open.pop() {
        if seen.contains(&script) {
            continue;
        }
        if seen.len() >= MAX_SCRIPTS {
            needs.cut(format!(
                "scripts name more than {MAX_SCRIPTS} other scripts: {script} and those after it were not read; --bin \
                 adds a program"
            ));
            break;
        }
        seen.insert(script.clone());
        let named = call.memory.named((&script, call.cwd, call.path), || named(call, &script))?;
        needs.commands.extend(named.commands.iter().cloned());
        needs.named.extend(named.files.iter().cloned());
        needs.claims.extend(named.claims.iter().cloned());
        needs.data.extend(named.data.iter().cloned());
        open.extend(named.scripts.iter().cloned());
    }
    Ok(())
}

/// Commands and files in a script.
#[derive(Default)]
pub(in crate::language) struct Named {
    commands: Vec<Command>,
    files: Vec<(RootPath, String)>,
    claims: Vec<Claim>,
    /// Directories whose contents programs write.
    data: Vec<(String, String)>,
    /// The scripts among the files.
    scripts: Vec<RootPath>,
}

fn named(call: &Call<'_>, script: &RootPath) -> Result<Named, Error> {
    let mut named = Named::default();
    let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? else { return Ok(named) };
    for word in words(&String::from_utf8_lossy(&text)) {
        if let Some(path) = program(call.root, call.path, word)? {
            let why = format!("the script {script} has the word {word}");
            named.commands.push(Command { name: path.to_string(), certainty: Certainty::Possible, why });
        } else if word.contains('/') || word.ends_with(".sh") {
            named.file(call, script, word)?;
        }
    }
    Ok(named)
}

impl Named {
    /// Adds the file or directory that a word names: the script sources or reads it.
    fn file(&mut self, call: &Call<'_>, script: &RootPath, word: &str) -> Result<(), Error> {
        let why = format!("the script {script} names it");
        if let Some(file) = call.file(word)?.filter(|file| !system().kernel.cover(file)) {
            self.files.push((file.clone(), why));
            if is_shell_script(call.root, &file)? || word.ends_with(".sh") {
                self.scripts.push(file);
            }
        } else if word.starts_with('/')
            && let Some(dir) = call.dir(word)?.filter(|dir| !system().kernel.cover(dir) && !app::is_wide(dir))
        {
            // The contents of a system directory belong to other rules, but the directory itself may have to exist.
            if system().system.cover(&dir) {
                if dir.as_bytes().starts_with(b"/var/") {
                    self.data.push((dir.to_string(), why.clone()));
                }
                self.files.push((dir, why));
            } else {
                let whole = app::application_claim(dir, "application", Rc::new(|_, _| false));
                self.claims.push(Claim { why, scope: Scope::Plain, ..whole });
            }
        }
        Ok(())
    }
}

/// Words of a script, without comments: the text between blanks, quotes and shell metacharacters.
fn words(text: &str) -> BTreeSet<&str> {
    let is_sign = |c: char| c.is_whitespace() || "\"'`;|&(){}<>$=,".contains(c);
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let code = match line.trim_start().starts_with('#') {
            true => "",
            false => line.split(" #").next().unwrap_or_default(),
        };
        for word in code.split(is_sign) {
            // A default value such as `${PAGER:-cat}`.
            let word = word.rsplit(":-").next().unwrap_or(word).trim_end_matches(':');
            if !word.is_empty() && !word.starts_with('-') && !table().not_programs.contain(word) {
                found.insert(word);
            }
        }
    }
    found
}

fn is_shell_script(root: &Root, path: &RootPath) -> Result<bool, Error> {
    let Some((_, head)) = root.head_followed(path.as_bytes(), 64)? else { return Ok(false) };
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    Ok(text.starts_with("#!") && text.split(['/', ' ']).any(|word| Tongue::Shell.is_run_by(word)))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_in_quotes_traps_and_defaults_are_seen_and_comments_are_not() {
        let text = "#!/bin/sh\n# gzip\ntrap 'rm -rf \"$tmp\"' EXIT # awk\n${PAGER:-cat} x | wc -c; y=$(mktemp -d)\n";
        let found = words(text);
        for word in ["rm", "cat", "wc", "mktemp"] {
            assert!(found.contains(word), "{word} in {found:?}");
        }
        for word in ["gzip", "awk", "-rf", "echo"] {
            assert!(!found.contains(word), "{word} in {found:?}");
        }
    }
}
