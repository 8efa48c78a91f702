//! Options and variables that make Node load files besides the script (node(1); "Command-line API" of Node).

use super::table::table;
use crate::error::Error;
use crate::language::Call;
use crate::path::RootPath;

/// Files loaded besides the script.
#[derive(Default)]
pub(super) struct Loaded {
    /// Modules given as a path.
    pub(super) modules: Vec<RootPath>,
    /// Packages of the modules given by name.
    pub(super) packages: Vec<RootPath>,
    /// Files and directories, each with the reason.
    pub(super) data: Vec<(RootPath, String)>,
}

pub(super) fn loaded(call: &Call<'_>) -> Result<Loaded, Error> {
    let (mut found, known) = (Loaded::default(), &table().options);
    let options = call.env.get("NODE_OPTIONS").into_iter().flat_map(|text| text.split_whitespace());
    let mut words = options.chain(call.args.iter().map(String::as_str)).peekable();
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let (is_module, is_file) = (known.modules.contain(name), known.files.contain(name));
        if !is_module && !is_file {
            continue;
        }
        let Some(value) = value.or_else(|| words.next()) else { break };
        if is_file {
            found.data.extend(place(call, value)?.map(|path| (path, format!("{name} names it"))));
        } else if let Some(module) = module(call, value)? {
            found.modules.push(module);
        } else {
            found.packages.extend(package(call, value)?);
        }
    }
    for name in known.variables.iter() {
        if let Some(value) = call.env.get(name) {
            found.data.extend(place(call, value)?.map(|path| (path, format!("{name} names it"))));
        }
    }
    Ok(found)
}

fn place(call: &Call<'_>, word: &str) -> Result<Option<RootPath>, Error> {
    let file = call.file(word)?;
    Ok(if file.is_some() { file } else { call.dir(word)? })
}

/// The package that contains a module, looked up from the working directory.
fn package(call: &Call<'_>, word: &str) -> Result<Option<RootPath>, Error> {
    let parts = if word.starts_with('@') { 2 } else { 1 };
    let name = word.split('/').take(parts).collect::<Vec<_>>().join("/");
    for above in std::iter::successors(Some(call.cwd.clone()), RootPath::parent) {
        if let Some(found) = call.root.follow(format!("{above}/node_modules/{name}").as_bytes())?.dir() {
            return Ok(Some(found.clone()));
        }
    }
    Ok(None)
}

/// The file of a module given as a path.
fn module(call: &Call<'_>, word: &str) -> Result<Option<RootPath>, Error> {
    let word = word.strip_prefix("file://").unwrap_or(word);
    if !["/", "./", "../"].iter().any(|start| word.starts_with(start)) {
        return Ok(None);
    }
    for end in table().options.endings.iter() {
        if let Some(found) = call.file(&format!("{word}{end}"))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
