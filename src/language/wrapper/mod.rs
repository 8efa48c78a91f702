//! Programs that start the command in their arguments: `env`, `xargs`, `find -exec`, `timeout`, `su-exec`, `tini` and
//! similar.

use super::source::interpreters::shell_words;
mod client;
mod substitutes;

use super::source::interpreters::system_shell;
use super::source::wrapped::{always_starts, as_account, inner, is_scripted, joins, texts};
use super::{Call, Needs, Start};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::RootGlob;
use crate::world::tables::has_applets;

/// The account that programs take if none is named.
const SUPERUSER: &str = "root";
/// Maximum size of a list of accounts that is read.
const MAX_ACCOUNTS: usize = 1 << 20;

/// The shell of an account of the root (passwd(5)).
fn account_shell(call: &Call<'_>, user: &str) -> Result<Option<String>, Error> {
    let Some((_, text)) = call.root.read_followed(b"/etc/passwd", MAX_ACCOUNTS)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut own = fields.filter(|fields| fields.first() == Some(&user));
    Ok(own.find_map(|fields| fields.get(6).map(|shell| (*shell).to_owned())).filter(|shell| !shell.is_empty()))
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    // A script is a wrapper by its own name, a program behind links by that of its file.
    let program = match call.scripts.as_slice() {
        [script, ..] => script,
        [] => match call.programs.last() {
            Some(program) => program,
            None => return Ok(needs),
        },
    };
    let name = String::from_utf8_lossy(program.name()).into_owned();
    if !call.scripts.is_empty() && !is_scripted(&name) {
        return Ok(needs);
    }
    // A program of many commands is the one that its first argument names.
    let (name, args) = match call.args {
        [applet, args @ ..] if has_applets(name.as_bytes()) => (applet.clone(), args),
        args => (name, args),
    };
    if !args.is_empty()
        && let Some(account) = as_account(&name, args)
    {
        let shell = match account.shell {
            Some(shell) => Some(shell.to_owned()),
            None => account_shell(call, account.user.unwrap_or(SUPERUSER))?,
        };
        let shell = shell.unwrap_or_else(|| system_shell().to_owned());
        needs.starts.push(Start::of(call, [vec![shell], account.args].concat(), format!("{program} starts it")));
    }
    client::commands(call, &name, args, &mut needs)?;
    substitutes::commands(call, &name, args, &mut needs)?;
    for (text, has_shell) in texts(&name, args) {
        let words = if has_shell { shell_words(&text) } else { text.split_whitespace().map(str::to_owned).collect() };
        if !words.is_empty() {
            needs.starts.push(Start::of(call, words, format!("{program} starts it")));
        }
    }
    let commands = inner(&name, args);
    if commands.is_empty() && needs.starts.is_empty() && always_starts(&name) {
        needs.waits = Some(format!(
            "{program} starts a command of its arguments, and none is given: what users start with it is not packed; \
             give the command behind it, or add programs with --bin"
        ));
    }
    for inner in commands {
        let words = &args[inner.words.clone()];
        if words[0].starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_')) {
            let words = if joins(&name) { shell_words(&words.join(" ")) } else { words.to_vec() };
            let mut start = Start::of(call, words.clone(), format!("{program} starts it"));
            start.env = inner.env(call.env, call.path);
            if let Some(dir) = inner.chdir.as_deref().map(|dir| call.dir(dir)).transpose()?.flatten() {
                start.cwd = dir;
            }
            add_bins(call, inner.bins, inner.interpreter(&words[0]), &mut start)?;
            needs.starts.push(start);
        }
    }
    Ok(needs)
}

/// Puts the directories in which the wrapper looks for the command in front of PATH. A source is run by the interpreter
/// beside it.
fn add_bins(call: &Call<'_>, bins: &[String], interpreter: Option<&str>, start: &mut Start) -> Result<(), Error> {
    let mut dirs = Vec::new();
    for pattern in bins {
        let spelled = if pattern.starts_with('/') { pattern.clone() } else { format!("{}/{pattern}", start.cwd) };
        let Ok(glob) = RootGlob::new(&spelled) else { continue };
        dirs.extend(call.root.matching(&glob)?.iter().map(RootPath::to_string));
    }
    if dirs.is_empty() {
        return Ok(());
    }
    start.env.insert("PATH".to_owned(), format!("{}:{}", dirs.join(":"), call.path));
    if let Some(interpreter) = interpreter {
        start.words.insert(0, interpreter.to_owned());
    }
    Ok(())
}
