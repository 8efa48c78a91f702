//! Programs that start the command in their arguments: `env`, `xargs`, `find -exec`, `timeout`, `su-exec`, `tini` and
//! similar.

use super::source::interpreters::shell_words;
use super::source::wrapped::{inner, takes_shell_text};
use super::{Call, Needs, Start};
use crate::error::Error;

/// The command that a shell receives as text, after `-c`; `su` and `runuser` pass this option on.
fn shell_text(words: &[String]) -> Option<&str> {
    let is_c = |word: &String| {
        word == "--command" || word.starts_with('-') && !word.starts_with("--") && word.ends_with('c') && word.len() < 6
    };
    let at = words.iter().position(is_c)?;
    words.get(at + 1).map(String::as_str)
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let Some(program) = call.programs.last() else { return Ok(needs) };
    let name = String::from_utf8_lossy(program.name()).into_owned();
    if !call.scripts.is_empty() {
        return Ok(needs);
    }
    if takes_shell_text(&name)
        && let Some(text) = shell_text(call.args)
    {
        needs.starts.push(Start::of(call, shell_words(text), format!("{program} starts it")));
    }
    for inner in inner(&name, call.args) {
        let words = &call.args[inner.words.clone()];
        if words[0].starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_')) {
            let mut start = Start::of(call, words.to_vec(), format!("{program} starts it"));
            start.env = inner.env(call.env);
            if let Some(dir) = inner.chdir.as_deref().map(|dir| call.dir(dir)).transpose()?.flatten() {
                start.cwd = dir;
            }
            needs.starts.push(start);
        }
    }
    Ok(needs)
}
