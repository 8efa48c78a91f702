//! Scripts in languages that no rule reads, such as awk, make, Tcl or Lua: told, with the programs that their words name.

use std::collections::BTreeSet;

use super::source::wrapped::runs_others;
use super::{Call, Needs};
use crate::error::Error;
use crate::path::{RootPath, show};
use crate::world::program_in_path;

/// Maximum size of a script that is searched for names of programs.
const MAX_UNREAD: usize = 256 << 10;
/// Maximum number of programs that the note names.
const MAX_NAMED: usize = 8;

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    let (Some(script), Some(interpreter)) = (call.scripts.first(), call.programs.last()) else {
        return Ok(Needs::default());
    };
    let followed = call.root.follow_from(call.cwd, interpreter.as_bytes())?;
    let real = followed.file().map_or(interpreter, |(real, _)| real);
    if [interpreter, real].into_iter().any(|path| runs_others(&show(path.name()))) {
        return Ok(Needs::default());
    }
    let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_UNREAD)? else { return Ok(Needs::default()) };
    let named = programs(call, &String::from_utf8_lossy(&text), real)?;
    let names = match named.len() {
        0 => String::new(),
        count => {
            let shown: Vec<&str> = named.iter().take(MAX_NAMED).map(String::as_str).collect();
            let more = if count > MAX_NAMED { format!(" and {} more", count - MAX_NAMED) } else { String::new() };
            format!("; its words name {}{more}, which --bin adds", shown.join(", "))
        }
    };
    let says = format!(
        "{script} is a script for {interpreter}, whose language slimroot does not read: programs that it starts and files \
         that it opens are not packed{names}"
    );
    Ok(Needs { unread: Some(says), ..Needs::default() })
}

/// The programs in PATH that words of a text name, except its interpreter.
fn programs(call: &Call<'_>, text: &str, interpreter: &RootPath) -> Result<BTreeSet<String>, Error> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.+/".contains(c);
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words: BTreeSet<&str> =
        code.flat_map(|line| line.split(|c| !is_part(c))).filter(|word| word.len() > 1).collect();
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
