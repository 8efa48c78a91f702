//! Shell scripts, two ways at once. The grammar says what is started, with which words, where, and in what directory;
//! and every word that names a program of PATH is one that may be started, wherever it stands: a list of words misses
//! none of those that a script hands around.

use std::collections::BTreeSet;

use super::shell_run::Reader;
use super::{Call, Command, Home, Needs, app};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};

/// Names of shells that read such scripts.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "busybox"];
/// Largest script that is read, and how many are read for one call.
pub(super) const MAX_SCRIPT: usize = 1 << 20;
pub(super) const MAX_SCRIPTS: usize = 64;
/// Words that are names of programs and nearly always something else: what a shell has built in, and English. As
/// commands the grammar sees them.
const NOT_PROGRAMS: &[&str] = &[
    "[", "test", "true", "false", "echo", "printf", "pwd", "kill", "time", "which", "file", "link", "install", "from",
    "at", "as", "ar", "ld", "make", "script", "last", "more", "look", "users", "groups", "split", "join", "paste",
    "host", "dir", "info", "man", "apt", "apt-get", "dpkg", "apk", "dnf", "yum", "pip", "pip3", "gcc", "cc",
];

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some(shell) = call.program(|name| SHELLS.contains(&name) || name == "busybox.static")? else {
        return Ok(Needs::default());
    };
    // Of a script that another language's interpreter runs, the shell is none of the business.
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
            if let Some(path) = program(call.root, call.path, &word)? {
                let why = format!("the command has the word {word}");
                reader.needs.commands.push(Command { name: path.to_string(), why });
            }
        }
    } else {
        return Ok(Needs::default());
    }
    let mut needs = reader.needs;
    // A wrapper that ends in `exec "$@"` starts what follows it.
    if !call.scripts.is_empty()
        && let Some(first) = call.args.first()
        && program(call.root, call.path, first)?.is_some()
    {
        needs.calls.push(call.args.to_vec());
    }
    // What a package's program is started by says nothing of a directory: the language of the package does.
    if !super::node::is_shim(call) {
        needs.homes.extend(app::plain_homes(call, "application")?);
    }
    Ok(needs)
}

fn is_c(word: &str) -> bool {
    word.starts_with('-') && word.ends_with('c') && !word.starts_with("--") && word.len() < 6
}

/// The script that is run, by its `#!` line or as a word of the shell, and its arguments.
fn script(call: &Call<'_>) -> Result<Option<(RootPath, Vec<String>)>, Error> {
    if let Some(script) = call.scripts.first() {
        return Ok(Some((script.clone(), call.args.to_vec())));
    }
    if call.args.iter().any(|word| is_c(word)) {
        return Ok(None);
    }
    let is_applet = |word: &String| SHELLS.contains(&word.as_str());
    let at = call.args.iter().position(|word| !word.starts_with('-') && !is_applet(word));
    let Some(at) = at else { return Ok(None) };
    Ok(call.file(&call.args[at])?.map(|file| (file, call.args[at + 1..].to_vec())))
}

/// What the words of a script name, and those of the files that it names.
fn list(call: &Call<'_>, needs: &mut Needs, script: RootPath) -> Result<(), Error> {
    let mut open = vec![script];
    let mut seen = BTreeSet::new();
    while let Some(script) = open.pop() {
        if seen.len() >= MAX_SCRIPTS || !seen.insert(script.clone()) {
            continue;
        }
        let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_SCRIPT)? else { continue };
        for word in words(&String::from_utf8_lossy(&text)) {
            if let Some(path) = program(call.root, call.path, &word)? {
                let why = format!("the script {script} has the word {word}");
                needs.commands.push(Command { name: path.to_string(), why });
            } else if word.contains('/') || word.ends_with(".sh") {
                // What a script sources or reads by name.
                let why = format!("the script {script} names it");
                if let Some(file) = call.file(&word)?.filter(|file| !is_kernels(file)) {
                    needs.files.push((file.clone(), why));
                    if is_shell_script(call.root, &file)? || word.ends_with(".sh") {
                        open.push(file);
                    }
                } else if word.starts_with('/')
                    && let Some(dir) = call.dir(&word)?.filter(|dir| !is_kernels(dir) && !app::is_wide(dir))
                {
                    // What lies in a system's directory is somebody else's; that it is there may count.
                    if is_systems(&dir) {
                        needs.files.push((dir, why));
                    } else {
                        needs.homes.push(Home { why, ..app::home(dir, "application", Box::new(|_, _| false)) });
                    }
                }
            }
        }
    }
    Ok(())
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

/// The program that a word names by a PATH, as it is found.
pub(super) fn program(root: &Root, path: &str, word: &str) -> Result<Option<RootPath>, Error> {
    let is_program = |path: &RootPath| -> Result<bool, Error> {
        let followed = root.follow(path.as_bytes())?;
        Ok(followed.file().is_some_and(|(_, meta)| meta.kind == FileKind::File && meta.mode & 0o111 != 0))
    };
    if word.is_empty() {
        return Ok(None);
    }
    if word.contains('/') {
        let path = RootPath::new(word);
        return Ok(match path {
            Some(path) if is_program(&path)? => Some(path),
            _ => None,
        });
    }
    for dir in path.split(':').filter_map(RootPath::new) {
        let path = dir.join(word.as_bytes());
        if is_program(&path)? {
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
    lies_in(path, &["/proc", "/sys", "/dev"])
}

pub(super) fn is_systems(path: &RootPath) -> bool {
    lies_in(
        path,
        &["/usr", "/etc", "/var", "/lib", "/lib64", "/bin", "/sbin", "/run", "/tmp", "/home", "/root", "/boot"],
    )
}

fn lies_in(path: &RootPath, dirs: &[&str]) -> bool {
    dirs.iter().filter_map(RootPath::new).any(|dir| path.is_within(&dir))
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
