//! Finds the packages that an application's dependencies reach ("Loading from node_modules folders" of Node).

use std::collections::BTreeSet;

use super::packages::{MODULES, manifest};
use super::table::table;
use crate::error::Error;
use crate::language::source::application as app;
use crate::path::RootPath;
use crate::root::Root;

/// Real paths of the directories that dependencies reach.
pub(super) struct Reached(BTreeSet<RootPath>);

impl Reached {
    /// True if the package is reached, contains a reached directory, or is part of one.
    pub(super) fn keeps(&self, package: &RootPath) -> bool {
        let belongs = |kept: &RootPath| {
            // The application's own directory is no package, so being inside it does not count.
            kept.is_within(package)
                || package.is_within(kept) && kept.ancestors().iter().any(|dir| dir.name() == MODULES)
        };
        self.0.contains(package) || self.0.iter().any(belongs)
    }

    /// True if one of the reached directories is inside `dir`.
    pub(super) fn is_below(&self, dir: &RootPath) -> bool {
        self.0.iter().any(|kept| kept.is_within(dir))
    }
}

/// Packages reached by the dependencies of the application's directories, of symlink targets, and of the directories
/// whose `node_modules` is used; `None` if no package.json declares dependencies.
pub(super) fn reached(root: &Root, starts: &[RootPath], homes: &[RootPath]) -> Result<Option<Reached>, Error> {
    let mut open = Vec::new();
    let mut reached = BTreeSet::new();
    for start in starts.iter().chain(homes) {
        if start.name() == MODULES {
            if let Some(above) = start.parent().filter(|above| !app::is_wide(above)) {
                open.extend(workspaces(root, start)?);
                open.push(above);
            }
            continue;
        }
        // A globally installed package is used itself.
        reached.extend(start.ancestors().iter().any(|dir| dir.name() == MODULES).then(|| start.clone()));
        open.push(start.clone());
    }
    let mut is_stated = false;
    for start in &open {
        is_stated |= root.follow(start.join(b"package.json").as_bytes())?.file().is_some();
    }
    follow(root, open, &mut reached)?;
    Ok((is_stated && !reached.is_empty()).then_some(Reached(reached)))
}

/// The given packages with all of their dependencies.
pub(super) fn asked(root: &Root, packages: &[RootPath]) -> Result<BTreeSet<RootPath>, Error> {
    let mut reached: BTreeSet<RootPath> = packages.iter().cloned().collect();
    follow(root, packages.to_vec(), &mut reached)?;
    Ok(reached)
}

fn follow(root: &Root, mut open: Vec<RootPath>, reached: &mut BTreeSet<RootPath>) -> Result<(), Error> {
    let mut seen: BTreeSet<RootPath> = open.iter().cloned().collect();
    while let Some(package) = open.pop() {
        let json = manifest(root, &package)?;
        for name in json.dependencies.keys().chain(json.optional.keys()).chain(json.peer.keys()) {
            for above in std::iter::successors(Some(package.clone()), RootPath::parent) {
                let place = format!("{above}/node_modules/{name}");
                if let Some(found) = root.follow(place.as_bytes())?.dir().cloned() {
                    if seen.insert(found.clone()) {
                        open.push(found.clone());
                    }
                    reached.insert(found);
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Targets of symlinks that lead out of a `node_modules`: packages of the same repository.
fn workspaces(root: &Root, modules: &RootPath) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    let mut names: Vec<RootPath> = root.list(modules)?.iter().map(|name| modules.join(name)).collect();
    while let Some(path) = names.pop() {
        let Some(real) = root.follow(path.as_bytes())?.dir().cloned() else { continue };
        if !real.is_within(modules) {
            found.push(real);
        } else if path.name().starts_with(b"@") && path.parent().as_ref() == Some(modules) {
            names.extend(root.list(&real)?.iter().map(|name| path.join(name)));
        }
    }
    Ok(found)
}

/// True if Node finds the main file that a package declares.
pub(super) fn has_main(root: &Root, package: &RootPath, main: &str) -> Result<bool, Error> {
    let main = main.trim_end_matches('/');
    if main.is_empty() || main.ends_with(".d.ts") {
        return Ok(true);
    }
    let endings = table().options.main_endings.iter();
    for place in endings.map(|end| format!("{package}/{main}{end}")).chain([format!("{package}/index.js")]) {
        if root.follow(place.as_bytes())?.file().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
