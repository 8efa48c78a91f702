//! Finds a module that the command names and the root lacks.

use crate::error::Error;
use crate::language::Call;
use crate::language::source::application as app;
use crate::language::source::missing::{MissingApplication, workdir};
use crate::path::RootPath;

/// A module passed to Python: after `-m`, or as `MODULE:OBJECT`, the form that application servers use.
pub(in crate::language) fn missing(call: &Call<'_>) -> Result<Option<MissingApplication>, Error> {
    let Some(places) = super::places(call)? else { return Ok(None) };
    let Some(program) = call.scripts.first().or(call.programs.last()) else { return Ok(None) };
    let Some((word, name)) = named_module(call) else { return Ok(None) };
    let mut dirs = places;
    dirs.push(call.cwd.clone());
    dirs.extend(call.scripts.first().and_then(RootPath::parent));
    // Servers have options and variables that add directories to the module path.
    for part in call.args.iter().chain(call.env.values()).flat_map(|word| word.split([':', '=', ' '])) {
        if !part.is_empty() && !part.contains('\0') {
            dirs.extend(call.dir(part)?);
        }
    }
    let (program, word) = (program.clone(), word.to_owned());
    let mut unpacked = None;
    for dir in &dirs {
        let Some(place) = module_in(call, dir, name)? else { continue };
        let Some(real) = call.root.follow(dir.as_bytes())?.dir().cloned() else { continue };
        if !app::is_wide(&real) || app::is_chosen(call, &real, &place)? {
            return Ok(None);
        }
        unpacked.get_or_insert((real, place));
    }
    // A module in a directory that many applications share is packed only if something else asks for it.
    if let Some((dir, place)) = unpacked {
        let what = format!("module {name} in the image: {dir} is not an application directory");
        let place = Some(place);
        return Ok(Some(MissingApplication { program, word, what, is_certain: false, workdir: None, place }));
    }
    let workdir = workdir(call, |dir| Ok(module_in(call, dir, name)?.is_some()))?;
    let what = format!("module {name} in {}", call.cwd);
    Ok(Some(MissingApplication { program, word, what, is_certain: false, workdir, place: None }))
}

/// The working directory, if applications lie in it and the module that the command names lies directly there.
pub(super) fn chosen(call: &Call<'_>) -> Result<Option<RootPath>, Error> {
    let Some((_, name)) = named_module(call) else { return Ok(None) };
    let Some(dir) = call.root.follow(call.cwd.as_bytes())?.dir().cloned() else { return Ok(None) };
    let Some(place) = module_in(call, &dir, name)? else { return Ok(None) };
    Ok(app::is_chosen(call, &dir, &place)?.then_some(dir))
}

/// The argument that names a module, and the module's top-level package.
pub(super) fn named_module<'a>(call: &Call<'a>) -> Option<(&'a str, &'a str)> {
    let is_name = |text: &str| {
        !text.starts_with(|c: char| c.is_ascii_digit())
            && !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let outermost = |text: &'a str| text.split('.').all(is_name).then(|| text.split('.').next().unwrap_or(text));
    let words: &'a [String] = call.args;
    if call.scripts.is_empty() {
        let at = words.iter().position(|word| !word.starts_with('-') || word == "-m")?;
        let word = words.get(at + 1).filter(|_| words[at] == "-m")?;
        return outermost(word).map(|name| (word.as_str(), name));
    }
    words.iter().enumerate().find_map(|(at, word)| {
        // The value of an option may be a host with a port, or a user with a group.
        let is_value = at > 0 && words[at - 1].starts_with('-') && !words[at - 1].contains('=');
        let (module, object) = word.split_once(':').filter(|_| !is_value)?;
        let name = outermost(module).filter(|_| is_name(object.trim_end_matches("()")))?;
        Some((word.as_str(), name))
    })
}

/// The module in this directory: a package, source, bytecode or extension.
fn module_in(call: &Call<'_>, dir: &RootPath, name: &str) -> Result<Option<RootPath>, Error> {
    let is_it = |entry: &Vec<u8>| {
        entry.strip_prefix(name.as_bytes()).is_some_and(|rest| {
            rest.is_empty() || rest == b".py" || rest == b".pyc" || rest.starts_with(b".") && rest.ends_with(b".so")
        })
    };
    match call.root.follow(dir.as_bytes())?.dir() {
        Some(real) => {
            let names = call.root.list(real)?;
            Ok(names.iter().find(|name| is_it(name)).map(|name| real.join(name)))
        }
        None => Ok(None),
    }
}
