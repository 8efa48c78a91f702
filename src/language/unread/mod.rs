//! Scripts in languages that no rule reads, such as awk, make, Tcl or Lua: the application's directory is packed, and what
//! their words name is told. Literal command lines of a few known functions are followed.

mod calls;
mod loaded;
mod table;

use std::collections::BTreeSet;
use std::rc::Rc;

use super::source::application as app;
use super::source::interpreters::system_shell;
use super::source::wrapped::runs_others;
use super::{Call, Certainty, Claim, Needs, Scope, Start};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::root::Root;
use crate::world::program_in_path;
use table::{Row, Runs};

/// Maximum size of a script that is searched for names of programs.
const MAX_UNREAD: usize = 256 << 10;
/// Maximum number of scripts that a script loads.
const MAX_LOADED: usize = 64;
/// Maximum number of programs that the note names.
const MAX_NAMED: usize = 8;

/// True for the name of a program that nearly always means something else where it stands as a word.
pub(crate) fn is_word(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(table::is_no_program)
}

/// What a text in a language that no rule reads starts.
#[derive(Debug, Default)]
pub(crate) struct Started {
    /// Literal command lines for the shell.
    pub(crate) lines: Vec<String>,
    /// The end of a sentence with the programs that its words name, if it may start others.
    pub(crate) others: Option<String>,
}

/// Maximum size of a file that is searched.
pub(crate) const MAX_TEXT: usize = MAX_UNREAD;

/// Finds what a text starts that a program reads as its configuration. The language is that of an interpreter; of an
/// unknown one any text may start something.
///
/// # Errors
/// `unreadable`.
pub(crate) fn started(root: &Root, path: &str, language: &str, text: &str) -> Result<Started, Error> {
    by_row(root, path, table::row(language), text)
}

/// The same for a source of a program that embeds the language; `None` if its name has no known ending.
///
/// # Errors
/// `unreadable`.
pub(crate) fn started_by_source(
    root: &Root,
    path: &str,
    name: &[u8],
    text: impl FnOnce() -> Result<Vec<u8>, Error>,
) -> Result<Option<Started>, Error> {
    let Some(row) = table::row_of_source(name) else { return Ok(None) };
    by_row(root, path, Some(row), &String::from_utf8_lossy(&text()?)).map(Some)
}

fn by_row(root: &Root, path: &str, row: Option<&Row>, text: &str) -> Result<Started, Error> {
    let found = row.map(|row| calls::find(row, text)).unwrap_or_default();
    let is_open = found.is_open || row.is_none_or(|row| row.calls.is_empty());
    let named = if is_open { programs((root, path), text, row, None)? } else { BTreeSet::new() };
    Ok(Started { lines: found.lines, others: is_open.then(|| listed(&named)) })
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some(interpreter) = call.programs.last() else { return Ok(Needs::default()) };
    // A script that interprets another one is a program of which only the user knows the language.
    let interpreter = call.scripts.get(1).unwrap_or(interpreter);
    let followed = call.root.follow_from(call.cwd, interpreter.as_bytes())?;
    let real = followed.file().map_or(interpreter, |(real, _)| real);
    if let Some(script) = call.scripts.first() {
        // The rules of the other languages read their scripts.
        if [interpreter, real].into_iter().any(|path| runs_others(&show(path.name()))) {
            return Ok(Needs::default());
        }
        let mut needs = Needs { claims: app::plain_claims(call, "application")?, ..Needs::default() };
        let row = [interpreter, real].into_iter().find_map(|path| table::row(&show(path.name())));
        let mut notes: Vec<String> = note(call, script, interpreter, real, None)?.into_iter().collect();
        if let Some(row) = row {
            read(call, row, (script, interpreter, real), &mut needs, &mut notes)?;
        }
        needs.unread = (!notes.is_empty()).then(|| notes.join("; "));
        return Ok(needs);
    }
    let named = [interpreter, real].into_iter().find_map(|path| table::row(&show(path.name())));
    named.map_or(Ok(Needs::default()), |row| arguments(call, row, interpreter, real))
}

/// Finds scripts and commands in the arguments of an interpreter.
fn arguments(call: &Call<'_>, row: &Row, interpreter: &RootPath, real: &RootPath) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let Runs { mut files, texts, dir } = row.runs(call.args);
    let cwd = match &dir {
        Some(word) => call.dir(word)?.unwrap_or_else(|| call.cwd.clone()),
        None => call.cwd.clone(),
    };
    if files.is_empty() && texts.is_empty() {
        for name in row.default.iter() {
            if call.root.follow_from(&cwd, name.as_bytes())?.file().is_some() {
                files.push(name.to_owned());
                break;
            }
        }
    }
    let mut notes = Vec::new();
    for file in files.iter().filter(|file| !file.contains('\0')) {
        let followed = call.root.follow_from(&cwd, file.as_bytes())?;
        let Some((script, _)) = followed.file() else { continue };
        let path = match file.starts_with('/') {
            true => file.as_bytes().to_vec(),
            false => [cwd.as_bytes(), b"/", file.as_bytes()].concat(),
        };
        needs.paths.push((path, format!("{interpreter} runs it")));
        notes.extend(note(call, script, interpreter, real, Some(row))?);
        read(call, row, (script, interpreter, real), &mut needs, &mut notes)?;
    }
    if !needs.paths.is_empty() {
        needs.claims = app::plain_claims(call, "application")?;
        if dir.is_some() && !app::is_wide(&cwd) {
            needs.claims.push(Claim {
                scope: Scope::Plain,
                ..app::application_claim(cwd, "application", Rc::new(|_, _| false))
            });
        }
    }
    let joined = texts.join("\n");
    needs.starts.extend(starts(call, row, &joined, "an argument"));
    let named = programs((call.root, call.path), &joined, Some(row), Some(real))?;
    if texts.iter().any(|text| row.may_start(text)) && !named.is_empty() {
        notes.push(format!(
            "an argument of {interpreter} is a program in a language that slimroot does not read: what it starts is not \
             packed{}",
            listed(&named)
        ));
    }
    needs.unread = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(needs)
}

/// Finds what a script and the files that it loads start, and what they open by absolute paths.
fn read(
    call: &Call<'_>,
    row: &Row,
    (script, interpreter, real): (&RootPath, &RootPath, &RootPath),
    needs: &mut Needs,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let mut open = vec![script.clone()];
    let mut at = 0;
    while let Some(one) = open.get(at).cloned() {
        at += 1;
        let Some(text) = text_of(call, &one)? else { continue };
        needs.starts.extend(starts(call, row, &text, &one.to_string()));
        if at > 1 {
            notes.extend(note(call, &one, interpreter, real, Some(row))?);
        }
        needs.data.extend(loaded::data(row, &text).into_iter().map(|path| (path, format!("{one} names it"))));
        for file in loaded::files(call, row, &one, &text)? {
            if open.contains(&file) {
                continue;
            }
            if open.len() >= MAX_LOADED {
                call.root
                    .leave_unread(&one, format!("of the scripts that it loads, those after {MAX_LOADED} are not read"));
                return Ok(());
            }
            needs.files.push((file.clone(), format!("{one} loads it")));
            open.push(file);
        }
    }
    Ok(())
}

/// The beginning of a script.
fn text_of(call: &Call<'_>, script: &RootPath) -> Result<Option<String>, Error> {
    let read = call.root.read_followed(script.as_bytes(), MAX_UNREAD)?;
    Ok(read.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()))
}

/// The literal command lines of a text, which a shell runs.
fn starts(call: &Call<'_>, row: &Row, text: &str, place: &str) -> Vec<Start> {
    let start = |line: String| {
        let why = format!("{place} starts it: {}", show(line.as_bytes()));
        let words = vec![system_shell().to_owned(), "-c".to_owned(), line];
        Start { is_exec: false, certainty: Certainty::Likely, ..Start::of(call, words, why) }
    };
    calls::find(row, text).lines.into_iter().map(start).collect()
}

/// Returns a note on a script whose language slimroot does not read.
fn note(
    call: &Call<'_>,
    script: &RootPath,
    interpreter: &RootPath,
    real: &RootPath,
    row: Option<&Row>,
) -> Result<Option<String>, Error> {
    let Some(text) = text_of(call, script)? else { return Ok(None) };
    if row.is_some_and(|row| !row.may_start(&text)) {
        return Ok(None);
    }
    let named = programs((call.root, call.path), &text, row, Some(real))?;
    Ok(Some(format!(
        "{script} is a script for {interpreter}, whose language slimroot does not read: programs that it starts and files \
         that it opens elsewhere are not packed{}",
        listed(&named)
    )))
}

/// The programs that a note names, as the end of its sentence.
fn listed(named: &BTreeSet<String>) -> String {
    let count = named.len();
    let shown: Vec<&str> = named.iter().take(MAX_NAMED).map(String::as_str).collect();
    match count {
        0 => String::new(),
        _ if count > MAX_NAMED => {
            format!("; its words name {} and {} more, which --bin adds", shown.join(", "), count - MAX_NAMED)
        }
        _ => format!("; its words name {}, which --bin adds", shown.join(", ")),
    }
}

/// The programs in PATH that words of a text name, except its interpreter.
fn programs(
    (root, path): (&Root, &str),
    text: &str,
    row: Option<&Row>,
    interpreter: Option<&RootPath>,
) -> Result<BTreeSet<String>, Error> {
    let comment = row.map_or(table::COMMENT, Row::comment);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.+/".contains(c);
    let code = text.lines().filter(|line| !line.trim_start().starts_with(comment));
    let is_name = |word: &&str| word.len() > 1 && !table::is_no_program(word);
    let words: BTreeSet<&str> = code.flat_map(|line| line.split(|c| !is_part(c))).filter(is_name).collect();
    let mut found = BTreeSet::new();
    for word in words {
        let Some(path) = program_in_path(root, path, word)? else { continue };
        let followed = root.follow(path.as_bytes())?;
        if followed.file().is_some_and(|(real, _)| Some(real) != interpreter) {
            found.insert(path.to_string());
        }
    }
    Ok(found)
}
