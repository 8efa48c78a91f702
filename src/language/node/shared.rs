//! Modules that a distribution installs globally (Debian's nodejs searches fixed directories, README.Debian): those
//! that the application's sources name, and those that these modules name in turn.

use std::collections::{BTreeMap, BTreeSet};

use super::packages::{is_source, manifest};
use super::table::table;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root, Visit};

const MAX_SOURCE: usize = 4 << 20;
/// Maximum length of a package name.
const MAX_NAME: usize = 214;

/// Packages in the distribution's directories that the sources in `homes` name, each with the line that names it.
pub(super) fn named(root: &Root, homes: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
    let mut places = Vec::new();
    for pattern in table().packages.places.iter() {
        for place in root.matching(&crate::root::RootGlob::new(pattern)?)? {
            places.extend(root.follow(place.as_bytes())?.dir().cloned());
        }
    }
    let mut found: BTreeMap<RootPath, String> = BTreeMap::new();
    if places.is_empty() {
        return Ok(found);
    }
    let mut open = homes.to_vec();
    while let Some(dir) = open.pop() {
        let json = manifest(root, &dir)?;
        let wanted: BTreeSet<String> =
            json.dependencies.keys().chain(json.optional.keys()).chain(json.peer.keys()).cloned().collect();
        let depends = |name: String| (name, format!("{dir}/package.json depends on"));
        let mut names: BTreeMap<String, String> = wanted.into_iter().map(depends).collect();
        if root.meta(&dir)?.is_some_and(|meta| meta.kind == FileKind::File) {
            words(&root.read(&dir, MAX_SOURCE)?, &dir, &mut names);
        } else {
            let mut sources = Vec::new();
            root.visit(&dir, &mut |path, meta| {
                if meta.kind == FileKind::File && is_source(path) {
                    sources.push(path.clone());
                }
                Ok(Visit::Enter)
            })?;
            if homes.contains(&dir) {
                for path in &sources {
                    words(&root.read(path, MAX_SOURCE)?, path, &mut names);
                }
            } else {
                words_of_package(root, &dir, &json.entries(), &sources, &mut names)?;
            }
        }
        for (name, source) in names {
            for place in &places {
                let why = format!("{source} \"{name}\", found in {place}");
                for end in ["", ".js"] {
                    let followed = root.follow(format!("{place}/{name}{end}").as_bytes())?;
                    if let Some((real, _)) = followed.found()
                        && !found.contains_key(real)
                    {
                        found.insert(real.clone(), why.clone());
                        open.push(real.clone());
                        for (modules, real) in searched_modules(root, real, place)? {
                            let is_new =
                                found.insert(modules, format!("{why}, which looks for packages there")).is_none();
                            open.extend(is_new.then_some(real));
                        }
                    }
                }
            }
        }
    }
    Ok(found)
}

/// `node_modules` directories or symlinks above a package and below `place`: Node searches them for the package's
/// dependencies (Modules, "Loading from node_modules folders"). Each is returned with its real path.
fn searched_modules(root: &Root, package: &RootPath, place: &RootPath) -> Result<Vec<(RootPath, RootPath)>, Error> {
    let mut found = Vec::new();
    for above in package.ancestors().iter().filter(|above| above.is_within(place) && *above != place) {
        let modules = above.join(b"node_modules");
        let followed = root.follow(modules.as_bytes())?;
        if let Some(real) = followed.dir().filter(|_| above.name() != b"node_modules") {
            found.push((modules, real.clone()));
        }
    }
    Ok(found)
}

/// Words in the sources of a package. What only its developers run names packages that it does not need: such a source
/// counts if another one refers to it. If no source computes what it loads, a word counts only where it is loaded, as
/// others are data.
fn words_of_package(
    root: &Root,
    dir: &RootPath,
    entries: &[&str],
    sources: &[RootPath],
    names: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let (mut kept, mut developers) = (Vec::new(), Vec::new());
    for path in sources {
        match is_of_developers(dir, path) {
            true => developers.push(path),
            false => kept.push(path),
        }
    }
    let mut referred: BTreeSet<String> = entries.iter().flat_map(|path| components(path)).collect();
    let mut is_computed = false;
    let mut next = kept.clone();
    while !next.is_empty() {
        for path in std::mem::take(&mut next) {
            let text = root.read(path, MAX_SOURCE)?;
            is_computed |= computes_names(&text);
            relative_paths(&text, &mut |path| referred.extend(components(path)));
        }
        // What a kept source refers to may refer to more.
        let (more, rest) = developers.into_iter().partition(|path: &&RootPath| {
            let inside = path.as_bytes().get(dir.as_bytes().len()..).unwrap_or_default();
            components(&String::from_utf8_lossy(inside)).any(|part| referred.contains(&part))
        });
        developers = rest;
        next = more;
        kept.extend(next.iter().copied());
    }
    for path in kept {
        let text = root.read(path, MAX_SOURCE)?;
        let mut all = BTreeMap::new();
        words(&text, path, &mut all);
        let loaded = if is_computed { BTreeSet::new() } else { loaded_words(&text) };
        for (name, why) in all.into_iter().filter(|(name, _)| is_computed || loaded.contains(name)) {
            names.entry(name).or_insert(why);
        }
    }
    Ok(())
}

/// True for a source that by its name tests, measures or builds the package.
fn is_of_developers(dir: &RootPath, path: &RootPath) -> bool {
    let inside = path.as_bytes().get(dir.as_bytes().len()..).unwrap_or_default();
    let inside = String::from_utf8_lossy(inside).trim_start_matches('/').to_owned();
    let first = inside.split('/').next().unwrap_or_default();
    let name = inside.rsplit('/').next().unwrap_or_default();
    let known = &table().leftovers;
    known.developers.contain(first) || known.tests_begin.begin(name) || known.tests_end.end(name)
}

/// The parts of a path without the ends of their names, which references leave out; not those that lead elsewhere.
fn components(path: &str) -> impl Iterator<Item = String> + use<> {
    let parts = path.split('/').filter(|part| !part.is_empty() && !part.starts_with('.'));
    let stem = |part: &str| part.rsplit_once('.').map_or(part, |(stem, _)| stem).to_owned();
    parts.map(stem).collect::<Vec<_>>().into_iter()
}

/// The relative paths in quotes.
fn relative_paths(text: &[u8], each: &mut dyn FnMut(&str)) {
    for (at, quote) in text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\'' | b'`')) {
        let rest = &text[at + 1..text.len().min(at + 1 + MAX_NAME)];
        let end = rest.iter().position(|byte| byte == quote).unwrap_or(0);
        if let Some(path) =
            std::str::from_utf8(&rest[..end]).ok().filter(|path| path.contains('/') || path.contains(".js"))
        {
            each(path);
        }
    }
}

/// The text behind each call that loads a module.
fn calls(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let calls = ["require(", "import(", "require.resolve("];
    calls.into_iter().flat_map(move |call| {
        memchr::memmem::find_iter(text, call)
            .map(move |at| text[at + call.len()..].trim_ascii_start())
            .collect::<Vec<_>>()
    })
}

/// True if a source computes what it loads, or passes on the function that does.
fn computes_names(text: &[u8]) -> bool {
    let is_literal = |rest: &[u8]| {
        let Some(quote) = rest.first().filter(|byte| matches!(byte, b'"' | b'\'' | b'`')) else { return false };
        let inner = &rest[1..rest.len().min(1 + MAX_NAME)];
        let Some(end) = inner.iter().position(|byte| byte == quote) else { return false };
        let is_ended = inner[end + 1..].trim_ascii_start().first().is_none_or(|byte| b"),".contains(byte));
        is_ended && memchr::memmem::find(&inner[..end], b"${").is_none()
    };
    // Another name for it, or an argument: `load(require)`, and `const load = require` with or without a semicolon.
    let is_passed = |word: &str| {
        memchr::memmem::find_iter(text, word).any(|at| {
            let line = text[at + word.len()..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
            let is_compared = text[..at].trim_ascii_end().ends_with(b"typeof");
            !is_compared && line.is_none_or(|byte| b"\r\n;,)]}=|&?!+".contains(byte))
        })
    };
    calls(text).any(|rest| !is_literal(rest)) || is_passed("require") || is_passed("createRequire")
}

/// The names of packages that a source loads by literals: `require("x")`, `import("x")`, `from "x"`, `import "x"`.
fn loaded_words(text: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeMap::new();
    let statements = ["from", "import"].into_iter().flat_map(|word| {
        memchr::memmem::find_iter(text, word)
            .map(move |at| text[at + word.len()..].trim_ascii_start())
            .collect::<Vec<_>>()
    });
    for rest in calls(text).chain(statements).filter(|rest| rest.first().is_some_and(|b| b"\"'`".contains(b))) {
        // A line is not needed here: only the first word of a short piece counts.
        let end = rest[1..].iter().take(MAX_NAME).position(|byte| *byte == rest[0]).map_or(0, |end| end + 2);
        words(&rest[..end], &RootPath::root(), &mut found);
    }
    found.into_keys().collect()
}

/// Quoted words that can be a package name: `name`, `@scope/name`, or one of these followed by a path inside the
/// package. Each with the first line that has it.
fn words(text: &[u8], file: &RootPath, names: &mut BTreeMap<String, String>) {
    let (mut line, mut counted) = (1, 0);
    for (at, quote) in text.iter().enumerate().filter(|(_, byte)| matches!(byte, b'"' | b'\'' | b'`')) {
        let rest = &text[at + 1..text.len().min(at + 1 + MAX_NAME)];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"@/._-~".contains(byte);
        let size = rest.iter().take_while(|byte| is_part(byte)).count();
        if rest.get(size) != Some(quote) || size == 0 {
            continue;
        }
        let Ok(word) = std::str::from_utf8(&rest[..size]) else { continue };
        let parts = if word.starts_with('@') { 2 } else { 1 };
        let name: Vec<&str> = word.split('/').take(parts).collect();
        if name.len() == parts && name.iter().all(|part| !part.is_empty() && !part.starts_with('.')) {
            line += memchr::memchr_iter(b'\n', &text[counted..at]).count();
            counted = at;
            names.entry(name.join("/")).or_insert_with(|| format!("{file}:{line} names"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn only_what_a_package_loads_counts() {
        let mut tree = MemTree::default();
        let place = "/usr/share/nodejs";
        tree.file("/app/x.js", 0o644, "require('one')")
            .file(
                &format!("{place}/one/index.js"),
                0o644,
                "require('./data'); require('two/part'); import three from 'three'",
            )
            .file(&format!("{place}/one/data.js"), 0o644, "module.exports = {a: ['word']}")
            .file(&format!("{place}/one/test-core.js"), 0o644, "require('tests')")
            .file(&format!("{place}/one/bench/x.js"), 0o644, "require('bench')")
            .file(&format!("{place}/two/index.js"), 0o644, "require('./test-own'); load(n => require(n), 'named')")
            .file(&format!("{place}/two/test-own.js"), 0o644, "require('four')")
            .file(&format!("{place}/four/index.js"), 0o644, "const load = require\nload('five')\n");
        for name in ["three", "five", "word", "tests", "named"] {
            tree.file(&format!("{place}/{name}/index.js"), 0o644, "");
        }
        let root = Root::new(Arc::new(tree));
        let found = named(&root, &[RootPath::new("/app").expect("a path")]).expect("readable");
        let names: Vec<String> = found.keys().map(|path| String::from_utf8_lossy(path.name()).into_owned()).collect();
        assert_eq!(names, ["five", "four", "named", "one", "three", "two"]);
    }

    /// Debian's npm has this layout and does not start without these modules.
    #[test]
    fn a_scope_may_have_modules_of_its_own() {
        let mut tree = MemTree::default();
        tree.file("/app/x.js", 0o644, "require('@scope/one')")
            .file("/usr/share/nodejs/@scope/one/index.js", 0o644, "require('two')")
            .file("/usr/share/nodejs/app/node_modules/two/index.js", 0o644, "")
            .link("/usr/share/nodejs/@scope/node_modules", "../app/node_modules");
        let root = Root::new(Arc::new(tree));
        let path = |text| RootPath::new(text).expect("a path");
        let found = named(&root, &[path("/app")]).expect("readable");
        let why = "/app/x.js:1 names \"@scope/one\", found in /usr/share/nodejs";
        let wanted = [
            (path("/usr/share/nodejs/@scope/node_modules"), format!("{why}, which looks for packages there")),
            (path("/usr/share/nodejs/@scope/one"), why.to_owned()),
        ];
        assert_eq!(found, BTreeMap::from(wanted));
    }
}
