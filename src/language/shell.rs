//! Shell scripts: every word that names a program of PATH is one that may be started, wherever it stands. Commands hide in
//! quotes, in `trap`, in defaults of variables; a list of words misses none of them.

use std::collections::BTreeSet;

use super::{Call, Command, Needs, app};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};

/// Names of shells that read such scripts.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "busybox"];
/// Largest script that is read, and how many are read for one call.
const MAX_SCRIPT: usize = 1 << 20;
const MAX_SCRIPTS: usize = 64;
/// Words that are names of programs and nearly always something else: what a shell has built in, and English.
const NOT_PROGRAMS: &[&str] = &[
    "[", "test", "true", "false", "echo", "printf", "pwd", "kill", "time", "which", "file", "link", "install", "from",
    "at", "as", "ar", "ld", "make", "script", "last", "more", "look", "users", "groups", "split", "join", "paste",
    "host", "dir", "info", "man", "apt", "apt-get", "dpkg", "apk", "dnf", "yum", "pip", "pip3", "gcc", "cc",
];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let Some(script) = call.scripts.first() else { return shell_with_words(call) };
    if !is_shell(call)? {
        return Ok(needs);
    }
    let mut open = vec![script.clone()];
    let mut seen = BTreeSet::new();
    while let Some(script) = open.pop() {
        if seen.len() >= MAX_SCRIPTS || !seen.insert(script.clone()) {
            continue;
        }
        let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? else { continue };
        for word in words(&String::from_utf8_lossy(&text)) {
            if let Some(path) = program(call, &word)? {
                needs
                    .commands
                    .push(Command { name: path.to_string(), why: format!("the script {script} has the word {word}") });
                if is_shell_script(call.root, &path)? {
                    open.push(path);
                }
            } else if word.contains('/') || word.ends_with(".sh") {
                // What a script sources or reads by name.
                if let Some(file) = call.file(&word)?.filter(|file| !is_kernels(file)) {
                    needs.files.push((file.clone(), format!("the script {script} names it")));
                    if is_shell_script(call.root, &file)? || word.ends_with(".sh") {
                        open.push(file);
                    }
                }
            }
        }
    }
    // A wrapper that ends in `exec "$@"` starts what follows it.
    if let Some(first) = call.args.first()
        && program(call, first)?.is_some()
    {
        needs.calls.push(call.args.to_vec());
    }
    // What a package's program is started by says nothing of a directory: the language of the package does.
    if !super::node::is_shim(call) {
        needs.homes = app::plain_homes(call, "application")?;
    }
    Ok(needs)
}

/// `sh -c 'words'`.
fn shell_with_words(call: &Call<'_>) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    if !is_shell(call)? {
        return Ok(needs);
    }
    let at = call.args.iter().position(|word| word.starts_with('-') && word.ends_with('c') && !word.starts_with("--"));
    let Some(text) = at.and_then(|at| call.args.get(at + 1)) else { return Ok(needs) };
    for word in words(text) {
        if let Some(path) = program(call, &word)? {
            needs.commands.push(Command { name: path.to_string(), why: format!("the command has the word {word}") });
        }
    }
    let line: Vec<String> = text.trim_start_matches("exec ").split_whitespace().map(str::to_owned).collect();
    if line.first().is_some_and(|first| !first.contains(['$', '=', '"', '\''])) {
        needs.calls.push(line);
    }
    needs.homes = app::plain_homes(call, "application")?;
    Ok(needs)
}

fn is_shell(call: &Call<'_>) -> Result<bool, Error> {
    Ok(call.program(|name| SHELLS.contains(&name) || name == "busybox.static")?.is_some())
}

/// Words of a script, comments left out: what stands between blanks, quotes and the shell's own signs.
fn words(text: &str) -> BTreeSet<String> {
    let is_sign = |c: char| c.is_whitespace() || "\"'`;|&(){}<>$=,".contains(c);
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let code = match line.trim_start().starts_with('#') {
            true => "",
            false => line.split(" #").next().unwrap_or_default(),
        };
        for word in code.split(is_sign) {
            // A default such as `${PAGER:-cat}`.
            let word = word.rsplit(":-").next().unwrap_or(word).trim_end_matches(':');
            if !word.is_empty() && !word.starts_with('-') && !NOT_PROGRAMS.contains(&word) {
                found.insert(word.to_owned());
            }
        }
    }
    found
}

/// The program that a word names, as it is found.
fn program(call: &Call<'_>, word: &str) -> Result<Option<RootPath>, Error> {
    let is_program = |root: &Root, path: &RootPath| -> Result<bool, Error> {
        let followed = root.follow(path.as_bytes())?;
        Ok(followed.file().is_some_and(|(_, meta)| meta.kind == FileKind::File && meta.mode & 0o111 != 0))
    };
    if word.contains('/') {
        let path = RootPath::new(word);
        return Ok(match path {
            Some(path) if is_program(call.root, &path)? => Some(path),
            _ => None,
        });
    }
    for dir in call.path.split(':').filter_map(RootPath::new) {
        let path = dir.join(word.as_bytes());
        if is_program(call.root, &path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn is_shell_script(root: &Root, path: &RootPath) -> Result<bool, Error> {
    let Some((_, head)) = root.read_followed(path.as_bytes(), 64)? else { return Ok(false) };
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    Ok(text.starts_with("#!") && SHELLS.iter().any(|shell| text.split(['/', ' ']).any(|word| word == *shell)))
}

fn is_kernels(path: &RootPath) -> bool {
    ["/proc", "/sys", "/dev"].iter().filter_map(RootPath::new).any(|dir| path.is_within(&dir))
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
