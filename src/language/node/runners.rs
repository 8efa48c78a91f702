//! What script runners start: scripts of the package above the working directory, or of a package of the workspace that
//! the arguments choose (`npm -w web start`, `pnpm --filter web start`, `yarn workspace web start`), with the hooks
//! before and after them; and programs of installed packages (`npx NAME`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::npm::{MAX_JSON, Package, binary};
use super::packages::MODULES;
use super::table::{Runner, table};
use crate::error::Error;
use crate::language::source::interpreters::system_shell;
use crate::language::source::json;
use crate::language::{Call, Start};
use crate::path::RootPath;
use crate::root::{Root, RootGlob};

/// The directories of commands of installed packages, which runners put in front of PATH.
const BIN: &[u8] = b".bin";

/// Fields of package.json that define a workspace.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Member {
    name: String,
    workspaces: Patterns,
}

/// Directories of packages: a list, or a table with one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Patterns {
    List(Vec<String>),
    Table { packages: Vec<String> },
}

impl Default for Patterns {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// The arguments of a runner, without those that select the package.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chosen<'c> {
    dirs: Vec<&'c str>,
    filters: Vec<&'c str>,
    words: Vec<&'c str>,
}

/// The scripts and installed programs that a runner starts.
///
/// # Errors
/// `unreadable`.
pub(super) fn starts(call: &Call<'_>) -> Result<Vec<Start>, Error> {
    let Some(script) = call.scripts.last() else { return Ok(Vec::new()) };
    let name = String::from_utf8_lossy(script.name()).into_owned();
    let Some(runner) = table().runner.iter().find(|runner| runner.names.contain(&name)) else { return Ok(Vec::new()) };
    if !runner.through.is_empty() {
        return through(call, script, &runner.through);
    }
    let chosen = chosen(runner, call.args);
    if let Some((name, rest)) = installed(runner, &chosen.words) {
        let Some(words) = binary(call.root, call.cwd, name, rest)? else { return Ok(Vec::new()) };
        return Ok(vec![Start::of(call, words, format!("{script} starts {name} of an installed package"))]);
    }
    let Some(line) = script_name(runner, &chosen.words) else { return Ok(Vec::new()) };
    let mut homes = Vec::new();
    if chosen.dirs.is_empty() && chosen.filters.is_empty() {
        homes.extend(package_dir(call)?);
    }
    for dir in chosen.dirs {
        homes.extend(call.dir(dir)?);
    }
    if !chosen.filters.is_empty() {
        homes.extend(members(call.root, call.cwd, &chosen.filters)?);
    }
    let mut found = Vec::new();
    for home in homes {
        let Some(package) = read::<Package>(call.root, &home)? else { continue };
        let hooks = [format!("pre{line}"), line.to_owned(), format!("post{line}")];
        for text in hooks.iter().filter_map(|hook| package.scripts.get(hook)) {
            let words = vec![system_shell().to_owned(), "-c".to_owned(), text.clone()];
            let mut start = Start::of(call, words, format!("{script} starts the script {line} of {home}"));
            let other = Some(call.cwd).filter(|cwd| **cwd != home);
            let bins = std::iter::once(&home).chain(other).map(|dir| dir.join(MODULES).join(BIN).to_string());
            let dirs: Vec<String> = bins.chain([call.path.to_owned()]).collect();
            start.env.insert("PATH".to_owned(), dirs.join(":"));
            start.cwd = home.clone();
            start.is_exec = false;
            found.push(start);
        }
    }
    Ok(found)
}

/// The directory of the package that the working directory belongs to.
fn package_dir(call: &Call<'_>) -> Result<Option<RootPath>, Error> {
    for dir in std::iter::once(call.cwd.clone()).chain(call.cwd.ancestors().into_iter().rev()) {
        if call.root.follow(dir.join(b"package.json").as_bytes())?.file().is_some() {
            return Ok(Some(dir));
        }
    }
    Ok(None)
}

/// The scripts that a program starts through other runners, each named by an argument; `build:*` stands for several.
fn through(call: &Call<'_>, script: &RootPath, runners: &BTreeMap<String, Vec<String>>) -> Result<Vec<Start>, Error> {
    let Some(home) = package_dir(call)? else { return Ok(Vec::new()) };
    let package = read::<Package>(call.root, &home)?.unwrap_or_default();
    let mut found = Vec::new();
    for (prefix, runner) in runners {
        let words: Vec<&str> = call.args.iter().filter_map(|arg| arg.strip_prefix(prefix.as_str())).collect();
        for name in package.scripts.keys().filter(|name| is_named(name, &words)) {
            let words = runner.iter().chain([name]).cloned().collect();
            let start = Start::of(call, words, format!("{script} starts the script {name} of {home}"));
            found.push(Start { is_exec: false, ..start });
        }
    }
    Ok(found)
}

/// True if one of the words is the name of a script, with its arguments, or a pattern for it.
fn is_named(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| match word.split_once('*') {
        Some((start, _)) => name.starts_with(start),
        None => word.split(' ').next() == Some(name),
    })
}

/// The program of an installed package that the words start, with its arguments.
fn installed<'s, 'w>(runner: &Runner, words: &'s [&'w str]) -> Option<(&'w str, &'s [&'w str])> {
    match words {
        [first, name, rest @ ..] if runner.exec.contain(first) => Some((name, rest)),
        [name, rest @ ..] if runner.execs => Some((name, rest)),
        _ => None,
    }
}

/// True for a program that starts scripts of a package, such as npm.
pub(crate) fn is_script_runner(name: &str) -> bool {
    table().runner.iter().any(|runner| runner.names.contain(name))
}

fn chosen<'c>(runner: &Runner, args: &'c [String]) -> Chosen<'c> {
    let mut chosen = Chosen::default();
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        if runner.dirs.contain(name) {
            chosen.dirs.extend(value.or_else(|| words.next()));
        } else if runner.filters.contain(name) || chosen.words.is_empty() && runner.filter.contain(name) {
            chosen.filters.extend(value.or_else(|| words.next()));
        } else if !word.starts_with('-') {
            chosen.words.push(word);
        }
    }
    chosen
}

/// The name of the script that the words start.
fn script_name<'w>(runner: &Runner, words: &[&'w str]) -> Option<&'w str> {
    match words {
        [first, name, ..] if runner.run.contain(first) => Some(name),
        [first, ..] if runner.start.contain(first) || runner.scripts => Some(first),
        _ => None,
    }
}

/// The directories of the packages of a workspace with one of these names; also `./DIR`, and names that end in `...`.
fn members(root: &Root, home: &RootPath, filters: &[&str]) -> Result<Vec<RootPath>, Error> {
    let mut patterns = match read::<Member>(root, home)?.unwrap_or_default().workspaces {
        Patterns::List(packages) | Patterns::Table { packages } => packages,
    };
    for file in &table().scripts.workspaces {
        if let Some((_, text)) = root.read_followed(home.join(file.as_bytes()).as_bytes(), MAX_JSON)? {
            patterns.extend(listed(&String::from_utf8_lossy(&text)));
        }
    }
    let mut found = Vec::new();
    for pattern in patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        let Ok(glob) = RootGlob::new(&format!("{home}/{pattern}/package.json")) else { continue };
        for file in root.matching(&glob)? {
            let Some(dir) = file.parent().filter(|dir| !dir.ancestors().iter().any(|dir| dir.name() == MODULES)) else {
                continue;
            };
            let name = read::<Member>(root, &dir)?.unwrap_or_default().name;
            let is_it = |filter: &&str| {
                let filter = filter.trim_end_matches("...");
                name == filter
                    || name.rsplit('/').next() == Some(filter)
                    || dir == home.join(filter.trim_start_matches("./").as_bytes())
            };
            if filters.iter().any(is_it) {
                found.push(dir);
            }
        }
    }
    Ok(found)
}

/// The items of lists in a YAML file that has nothing else: `- apps/*`, `packages: ['apps/*']`.
fn listed(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let items = lines.flat_map(|line| match (line.strip_prefix("- "), line.split_once('[')) {
        (Some(item), _) => vec![item],
        (None, Some((_, list))) => list.trim_end_matches(']').split(',').collect(),
        _ => Vec::new(),
    });
    items.map(|item| item.trim().trim_matches(['"', '\'']).to_owned()).collect()
}

fn read<T: DeserializeOwned>(root: &Root, dir: &RootPath) -> Result<Option<T>, Error> {
    let read = root.read_followed(dir.join(b"package.json").as_bytes(), MAX_JSON)?;
    Ok(read.and_then(|(real, text)| json::read(root, &real, &text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_a_workspace_are_read() {
        assert_eq!(listed("packages:\n  - 'apps/*'\n  # - no\n  - \"lib\"\n"), ["apps/*", "lib"]);
        assert_eq!(listed("packages: ['a/*', b]\n"), ["a/*", "b"]);
    }
}
