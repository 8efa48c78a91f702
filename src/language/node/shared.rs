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
            json.dependencies.into_keys().chain(json.optional.into_keys()).chain(json.peer.into_keys()).collect();
        let depends = |name: String| (name, format!("{dir}/package.json depends on"));
        let mut names: BTreeMap<String, String> = wanted.into_iter().map(depends).collect();
        if root.meta(&dir)?.is_some_and(|meta| meta.kind == FileKind::File) {
            words(&root.read(&dir, MAX_SOURCE)?, &dir, &mut names);
        } else {
            root.visit(&dir, &mut |path, meta| {
                if meta.kind == FileKind::File && is_source(path) {
                    words(&root.read(path, MAX_SOURCE)?, path, &mut names);
                }
                Ok(Visit::Enter)
            })?;
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
