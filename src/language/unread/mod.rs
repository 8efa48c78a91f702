//! Scripts in languages that no rule reads, such as awk, make, Tcl or Lua: the application's directory is packed, and what
//! their words name is told.

mod table;

use std::collections::BTreeSet;
use std::rc::Rc;

use super::source::application as app;
use super::source::wrapped::runs_others;
use super::{Call, Claim, Needs, Scope};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::world::program_in_path;
use table::{Row, Runs};

/// Maximum size of a script that is searched for names of programs.
const MAX_UNREAD: usize = 256 << 10;
/// Maximum number of programs that the note names.
const MAX_NAMED: usize = 8;

/// True for the name of a program that nearly always means something else where it stands as a word.
pub(crate) fn is_word(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(table::is_no_program)
}

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let Some(interpreter) = call.programs.last() else { return Ok(Needs::default()) };
    let followed = call.root.follow_from(call.cwd, interpreter.as_bytes())?;
    let real = followed.file().map_or(interpreter, |(real, _)| real);
    if let Some(script) = call.scripts.first() {
        // The rules of the other languages read their scripts.
        if [interpreter, real].into_iter().any(|path| runs_others(&show(path.name()))) {
            return Ok(Needs::default());
        }
        let mut needs = Needs { claims: app::plain_claims(call, "application")?, ..Needs::default() };
        needs.unread = note(call, script, interpreter, real, None)?;
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
    }
    if !needs.paths.is_empty() {
        needs.claims = app::plain_claims(call, "application")?;
        if dir.is_some() && !app::is_wide(&cwd) {
            needs.claims.push(Claim { scope: Scope::Plain, ..app::home(cwd, "application", Rc::new(|_, _| false)) });
        }
    }
    let named = programs(call, &texts.join("\n"), real)?;
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

/// Returns a note on a script whose language slimroot does not read.
fn note(
    call: &Call<'_>,
    script: &RootPath,
    interpreter: &RootPath,
    real: &RootPath,
    row: Option<&Row>,
) -> Result<Option<String>, Error> {
    let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_UNREAD)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    if row.is_some_and(|row| !row.may_start(&text)) {
        return Ok(None);
    }
    let named = programs(call, &text, real)?;
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
fn programs(call: &Call<'_>, text: &str, interpreter: &RootPath) -> Result<BTreeSet<String>, Error> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.+/".contains(c);
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let is_name = |word: &&str| word.len() > 1 && !table::is_no_program(word);
    let words: BTreeSet<&str> = code.flat_map(|line| line.split(|c| !is_part(c))).filter(is_name).collect();
    let mut found = BTreeSet::new();
    for word in words {
        let Some(path) = program_in_path(call.root, call.path, word)? else { continue };
        let followed = call.root.follow(path.as_bytes())?;
        if followed.file().is_some_and(|(real, _)| real != interpreter) {
            found.insert(path.to_string());
        }
    }
    Ok(found)
}
