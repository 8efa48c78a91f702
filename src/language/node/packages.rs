//! Packages in `node_modules`: finds packages, and parts of packages, that no production run needs (npm's
//! package-lock.json, package.json; package resolution as in Node, "Loading from node_modules folders").

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::reach;
use super::table::table;
use crate::error::Error;
use crate::language::source::application as app;
use crate::language::source::json;
use crate::language::source::platform::Platform;
use crate::path::RootPath;
use crate::root::{FileKind, Root, Visit};

pub(super) const MODULES: &[u8] = b"node_modules";
const MAX_JSON: usize = 32 << 20;
/// Length of the part of a line before a name in which a call is looked for.
const MAX_CALL: usize = 200;
/// Parts of a directory that are not needed.
#[derive(Debug, Default)]
pub(super) struct Unneeded {
    /// Packages to leave out entirely: development dependencies, or packages for other platforms.
    packages: BTreeSet<RootPath>,
    /// All packages that are kept.
    kept: BTreeSet<RootPath>,
    /// The kept packages whose code refers to their test directory.
    tested: BTreeSet<RootPath>,
    /// Scopes (`node_modules/@SCOPE`), and the directories of packages that their sources name.
    scopes: BTreeMap<RootPath, BTreeSet<String>>,
    /// The kept packages with a native addon that was built in place.
    built: BTreeSet<RootPath>,
    /// Targets of directory symlinks in node_modules.
    pub(super) linked: BTreeSet<RootPath>,
    /// Problems with packages that are kept.
    pub(super) broken: Vec<String>,
    /// True if the TypeScript compiler is kept, which reads type declarations at run time.
    reads_types: bool,
    platform: Option<Platform>,
}

impl Unneeded {
    /// True if the path is not needed.
    pub(super) fn holds(&self, root: &Root, path: &RootPath) -> bool {
        if self.packages.contains(path) {
            return true;
        }
        // Symlinks to packages that are left out.
        if let Ok(Some(meta)) = root.meta(path)
            && meta.kind == FileKind::Link
            && let Ok(followed) = root.follow(path.as_bytes())
            && followed.found().is_some_and(|(real, _)| self.packages.iter().any(|out| real.is_within(out)))
        {
            return true;
        }
        let Some(package) = self.package_of(path) else { return false };
        let name = String::from_utf8_lossy(path.name()).to_lowercase();
        let (is_top, known) = (path.parent().as_ref() == Some(package), &table().leftovers);
        if is_top && known.developers.contain(&name) && !self.tested.contains(package) {
            return true;
        }
        if is_top
            && known
                .documents
                .iter()
                .filter_map(|word| name.strip_prefix(word))
                .any(|end| known.document_endings.contain(end))
        {
            return true;
        }
        !self.reads_types && known.types.end(&name)
            || self.is_build_rest(package, path, &name)
            || self.is_foreign_build(path, &name)
    }

    /// The innermost package that contains the path.
    fn package_of(&self, path: &RootPath) -> Option<&RootPath> {
        std::iter::successors(path.parent(), RootPath::parent).find_map(|above| self.kept.get(&above))
    }

    fn is_build_rest(&self, package: &RootPath, path: &RootPath, name: &str) -> bool {
        if !self.built.contains(package) {
            return false;
        }
        let is_top = path.parent().as_ref() == Some(package);
        let known = &table().leftovers;
        known.build_directories.contain(name)
            || is_top && known.build_directories_at_top.contain(name)
            || known.build_endings.end(name)
    }

    /// True for `prebuilds/PLATFORM-ARCH` of another platform.
    fn is_foreign_build(&self, path: &RootPath, name: &str) -> bool {
        let is_prebuild = path.parent().is_some_and(|parent| parent.name() == b"prebuilds");
        let Some(platform) = self.platform.as_ref().filter(|platform| is_prebuild && !platform.cpu.is_empty()) else {
            return false;
        };
        let Some((system, cpus)) = name.split_once('-') else { return false };
        table().packages.systems.contain(system)
            && (!system.starts_with("linux") || !cpus.split('+').any(|cpu| cpu == platform.cpu))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Package {
    pub(super) dependencies: BTreeMap<String, serde_json::Value>,
    #[serde(rename = "optionalDependencies")]
    pub(super) optional: BTreeMap<String, serde_json::Value>,
    #[serde(rename = "peerDependencies")]
    pub(super) peer: BTreeMap<String, serde_json::Value>,
    os: Words,
    cpu: Words,
    libc: Words,
    main: serde_json::Value,
    exports: serde_json::Value,
    bin: serde_json::Value,
}

impl Package {
    /// The files by which others enter the package.
    pub(super) fn entries(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let mut open = vec![&self.main, &self.exports, &self.bin];
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::String(text) => found.push(text.as_str()),
                serde_json::Value::Array(all) => open.extend(all),
                serde_json::Value::Object(all) => open.extend(all.values()),
                _ => {}
            }
        }
        found
    }
}

/// A string or a list of strings.
#[derive(Default)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        Ok(Self(match &value {
            serde_json::Value::Array(all) => all.iter().filter_map(text).collect(),
            other => text(other).into_iter().collect(),
        }))
    }
}

impl Words {
    /// True if the list allows the word; `!word` excludes one (package.json, "os").
    fn allow(&self, word: &str) -> bool {
        let is_forbidden = self.0.iter().any(|allowed| allowed.strip_prefix('!') == Some(word));
        let mut plain = self.0.iter().filter(|allowed| !allowed.starts_with('!')).peekable();
        !is_forbidden && (plain.peek().is_none() || plain.any(|allowed| allowed == word || allowed == "any"))
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: BTreeMap<String, LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    #[serde(default)]
    dev: bool,
}

/// Finds the parts of an application's directories that are not needed. `starts` are the directories from which
/// dependencies are resolved, `dirs` all directories that are searched for packages. Targets of symlinks in them are
/// searched too, and returned. Packages in `asked` stay, with their dependencies.
pub(super) fn unneeded(
    root: &Root,
    starts: &[RootPath],
    dirs: &[RootPath],
    asked: &[RootPath],
    platform: &Platform,
) -> Result<Unneeded, Error> {
    let mut found = Unneeded { platform: Some(platform.clone()), ..Unneeded::default() };
    let (mut all, mut homes, mut open) = (Collected::default(), Vec::new(), dirs.to_vec());
    while let Some(dir) = open.pop() {
        if homes.iter().any(|known| dir.is_within(known)) {
            continue;
        }
        let mut linked = BTreeSet::new();
        collect(root, &dir, &mut all, &mut linked)?;
        let is_new = |dir: &RootPath| !app::is_wide(dir) && !dirs.iter().any(|known| dir.is_within(known));
        open.extend(linked.into_iter().filter(is_new));
        homes.push(dir);
    }
    found.linked = homes.iter().filter(|home| !dirs.iter().any(|dir| home.is_within(dir))).cloned().collect();
    let mut recorded = Vec::new();
    for home in &homes {
        let modules = if home.name() == MODULES { home.clone() } else { home.join(MODULES) };
        if let Some(development) = locked_development(root, &modules)? {
            found.packages.extend(development);
            recorded.push(modules);
        }
    }
    let is_recorded = |path: &RootPath| recorded.iter().any(|modules| path.is_within(modules));
    if let Some(reached) = reach::reached(root, starts, &homes)? {
        let unreached = all.packages.iter().filter(|package| !is_recorded(package) && !reached.keeps(package));
        found.packages.extend(unreached.cloned());
        let unreached = all.units.iter().filter(|unit| !is_recorded(unit) && !reached.is_below(unit));
        found.packages.extend(unreached.cloned());
    }
    for package in reach::asked(root, asked)? {
        found.packages.remove(&package);
    }
    for package in all.packages {
        sort_in(root, package, platform, &mut found)?;
    }
    Ok(found)
}

fn sort_in(root: &Root, package: RootPath, platform: &Platform, found: &mut Unneeded) -> Result<(), Error> {
    let json = manifest(root, &package)?;
    let fits = json.os.allow("linux")
        && (platform.cpu.is_empty() || json.cpu.allow(&platform.cpu))
        && json.libc.allow(platform.libc);
    if !fits || found.packages.contains(&package) {
        found.packages.insert(package);
        return Ok(());
    }
    if let Some(main) = json.main.as_str().filter(|_| json.exports.is_null())
        && !reach::has_main(root, &package, main)?
    {
        found.broken.push(format!("{package} has no {main}, which its package.json names as main"));
    }
    let entries = format!("{} {} {}", json.main, json.exports, json.bin);
    if entries.contains("test")
        || entries.contains("doc")
        || entries.contains("example")
        || is_named(root, &package, &mut found.scopes)?
    {
        found.tested.insert(package.clone());
    }
    if root.meta(&package.join(b"binding.gyp"))?.is_some() {
        found.built.insert(package.clone());
    }
    found.reads_types |= table().packages.read_types.contain(package.name());
    found.kept.insert(package);
    Ok(())
}

/// Packages found below a directory.
#[derive(Default)]
struct Collected {
    packages: Vec<RootPath>,
    /// Directories of a package store, the targets of symlinks; each has one package with its own `node_modules`.
    units: Vec<RootPath>,
}

/// Collects every package directory below `dir`: `node_modules/NAME`, `node_modules/@SCOPE/NAME`, nested ones, and
/// those in package stores. Targets of symlinks are collected in `linked`.
fn collect(root: &Root, dir: &RootPath, all: &mut Collected, linked: &mut BTreeSet<RootPath>) -> Result<(), Error> {
    let is_modules = |dir: Option<RootPath>| dir.is_some_and(|dir| dir.name() == MODULES);
    let is_store = |dir: Option<RootPath>| {
        dir.is_some_and(|dir| table().packages.stores.contain(dir.name()) && is_modules(dir.parent()))
    };
    root.visit(dir, &mut |path, meta| {
        let name = path.name();
        let parent = path.parent();
        let is_scoped = parent.as_ref().is_some_and(|dir| dir.name().starts_with(b"@") && is_modules(dir.parent()));
        let in_modules = is_scoped || is_modules(parent.clone());
        match meta.kind {
            FileKind::Dir if in_modules && !name.starts_with(b"@") && !name.starts_with(b".") => {
                all.packages.push(path.clone());
            }
            FileKind::Dir if name != MODULES && is_store(parent.clone()) => all.units.push(path.clone()),
            // Yarn stores the package itself in this directory.
            FileKind::Dir if name == b"package" && is_store(parent.and_then(|unit| unit.parent())) => {
                all.packages.push(path.clone());
            }
            FileKind::Link if in_modules && !name.starts_with(b".") => {
                linked.extend(root.follow(path.as_bytes())?.dir().cloned());
            }
            _ => {}
        }
        Ok(Visit::Enter)
    })
}

/// True for a JavaScript file that Node loads.
pub(super) fn is_source(path: &RootPath) -> bool {
    [&b".js"[..], b".cjs", b".mjs"].iter().any(|end| path.name().ends_with(end))
}

pub(super) fn manifest(root: &Root, package: &RootPath) -> Result<Package, Error> {
    let read = root.read_followed(package.join(b"package.json").as_bytes(), MAX_JSON)?;
    Ok(read.and_then(|(real, text)| json::read(root, &real, &text)).unwrap_or_default())
}

/// Packages that npm's hidden lockfile marks as development dependencies; `None` without that lockfile.
fn locked_development(root: &Root, modules: &RootPath) -> Result<Option<BTreeSet<RootPath>>, Error> {
    let Some((real, text)) = root.read_followed(modules.join(b".package-lock.json").as_bytes(), MAX_JSON)? else {
        return Ok(None);
    };
    let Some(lock) = json::read::<Lock>(root, &real, &text) else { return Ok(None) };
    let base = real.parent().and_then(|modules| modules.parent()).unwrap_or_else(RootPath::root);
    let development = lock.packages.into_iter().filter(|(_, package)| package.dev);
    Ok(Some(development.filter_map(|(place, _)| RootPath::new(format!("{base}/{place}"))).collect()))
}

/// True if a package has directories for its developers, and its code or that of its scope refers to one.
fn is_named(root: &Root, package: &RootPath, scopes: &mut BTreeMap<RootPath, BTreeSet<String>>) -> Result<bool, Error> {
    let mut has = Vec::new();
    for word in table().leftovers.developers.iter() {
        if root.meta(&package.join(word.as_bytes()))?.is_some() {
            has.push(word);
        }
    }
    Ok(!has.is_empty() && (names_tests(root, package)? || scope_names(root, package, &has, scopes)?))
}

/// True if code of a package, outside its test directory, refers to that directory.
fn names_tests(root: &Root, package: &RootPath) -> Result<bool, Error> {
    let mut is_named = false;
    root.visit(package, &mut |path, meta| {
        if meta.kind == FileKind::File && is_source(path) {
            let text = root.read(path, MAX_JSON)?;
            is_named |= table().leftovers.developers.iter().any(|word| {
                ['\'', '"', '/'].iter().any(|quote| {
                    let inside = format!("./{word}{quote}");
                    memchr::memmem::find(&text, inside.as_bytes()).is_some()
                })
            });
        }
        let is_developers = table().leftovers.developers.contain(path.name());
        let is_apart = path.parent().as_ref() == Some(package) && is_developers;
        Ok(match (is_named, is_apart || path.name() == MODULES) {
            (true, _) => Visit::End,
            (false, true) => Visit::Pass,
            (false, false) => Visit::Enter,
        })
    })?;
    Ok(is_named)
}

/// True if sources in the scope of a package go through one of these directories of packages, as a registry of plug-ins
/// does: a path is joined from the name alone.
fn scope_names(
    root: &Root,
    package: &RootPath,
    has: &[&str],
    scopes: &mut BTreeMap<RootPath, BTreeSet<String>>,
) -> Result<bool, Error> {
    let Some(scope) = package.parent().filter(|dir| dir.name().starts_with(b"@")) else { return Ok(false) };
    if !scopes.contains_key(&scope) {
        let mut named = BTreeSet::new();
        root.visit(&scope, &mut |path, meta| {
            if meta.kind == FileKind::File && is_source(path) {
                joined(&root.read(path, MAX_JSON)?, &mut named);
            }
            Ok(if table().leftovers.developers.contain(path.name()) { Visit::Pass } else { Visit::Enter })
        })?;
        scopes.insert(scope.clone(), named);
    }
    Ok(scopes.get(&scope).is_some_and(|named| has.iter().any(|word| named.contains(*word))))
}

/// Adds the names of developers' directories that a source joins to a path, in one line.
fn joined(text: &[u8], named: &mut BTreeSet<String>) {
    for word in table().leftovers.developers.iter() {
        let is_joined = ['\'', '"'].iter().any(|quote| {
            let quoted = format!("{quote}{word}{quote}");
            memchr::memmem::find_iter(text, quoted.as_bytes()).any(|at| {
                let line = text[..at].rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
                let line = &line[line.len().saturating_sub(MAX_CALL)..];
                table().calls.joins.occur_in(line)
            })
        });
        if is_joined {
            named.insert(word.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    fn path(text: &str) -> RootPath {
        RootPath::new(text).expect("a path")
    }

    fn platform() -> Platform {
        Platform { cpu: "x64".to_owned(), libc: "glibc" }
    }

    #[test]
    fn development_other_platforms_tests_and_documents_are_left_out() {
        let mut tree = MemTree::default();
        tree.file("/app/package.json", 0o644, r#"{"dependencies":{"a":"1","n":"1"},"devDependencies":{"d":"1"}}"#)
            .file("/app/node_modules/a/package.json", 0o644, r#"{"dependencies":{"b":"1"}}"#)
            .file("/app/node_modules/a/README.md", 0o644, "")
            .file("/app/node_modules/a/lib/History.js", 0o644, "")
            .file("/app/node_modules/a/test/x.js", 0o644, "")
            .file("/app/node_modules/b/package.json", 0o644, "{}")
            .file("/app/node_modules/b/index.js", 0o644, "require('./test/helper')")
            .file("/app/node_modules/b/test/helper.js", 0o644, "")
            .file("/app/node_modules/d/package.json", 0o644, "{}")
            .file("/app/node_modules/n/package.json", 0o644, r#"{"optionalDependencies":{"@n/w":"1"}}"#)
            .file("/app/node_modules/n/prebuilds/win32-x64/n.node", 0o644, "")
            .file("/app/node_modules/n/prebuilds/linux-x64/n.node", 0o644, "")
            .file("/app/node_modules/@n/w/package.json", 0o644, r#"{"os":["win32"]}"#);
        let root = Root::new(Arc::new(tree));
        let found = unneeded(&root, &[path("/app")], &[path("/app")], &[], &platform()).expect("readable");
        let out = |text: &str| found.holds(&root, &path(text));
        for gone in [
            "/app/node_modules/d",
            "/app/node_modules/@n/w",
            "/app/node_modules/a/README.md",
            "/app/node_modules/a/test",
            "/app/node_modules/n/prebuilds/win32-x64",
        ] {
            assert!(out(gone), "{gone}");
        }
        for kept in [
            "/app/node_modules/a",
            "/app/node_modules/b/test",
            "/app/node_modules/a/lib/History.js",
            "/app/node_modules/n/prebuilds/linux-x64",
            "/app/test",
        ] {
            assert!(!out(kept), "{kept}");
        }
    }

    #[test]
    fn the_record_of_an_installation_goes_before_reasoning() {
        let mut tree = MemTree::default();
        tree.file("/app/package.json", 0o644, r#"{"dependencies":{}}"#)
            .file(
                "/app/node_modules/.package-lock.json",
                0o644,
                r#"{"packages":{"node_modules/d":{"dev":true},"node_modules/x":{}}}"#,
            )
            .file("/app/node_modules/d/package.json", 0o644, "{}")
            .file("/app/node_modules/x/package.json", 0o644, "{}");
        let root = Root::new(Arc::new(tree));
        let found = unneeded(&root, &[path("/app")], &[path("/app")], &[], &platform()).expect("readable");
        assert!(found.holds(&root, &path("/app/node_modules/d")) && !found.holds(&root, &path("/app/node_modules/x")));
    }

    #[test]
    fn a_directory_that_sources_of_the_scope_go_through_stays() {
        let mut tree = MemTree::default();
        tree.file("/app/package.json", 0o644, r#"{"dependencies":{"@r/nodes":"1","@r/registry":"1","plain":"1"}}"#)
            .file("/app/node_modules/@r/nodes/package.json", 0o644, "{}")
            .file("/app/node_modules/@r/nodes/examples/a.json", 0o644, "{}")
            .file("/app/node_modules/@r/nodes/docs/a.md", 0o644, "")
            .file("/app/node_modules/@r/other/package.json", 0o644, "{}")
            .file("/app/node_modules/@r/other/docs/a.md", 0o644, "")
            .file("/app/node_modules/@r/registry/package.json", 0o644, r#"{"dependencies":{"@r/other":"1"}}"#)
            .file(
                "/app/node_modules/@r/registry/lib/list.js",
                0o644,
                "const d = path.join(dir,\"examples\");\nsay('docs')",
            )
            .file("/app/node_modules/plain/package.json", 0o644, "{}")
            .file("/app/node_modules/plain/examples/a.js", 0o644, "");
        let root = Root::new(Arc::new(tree));
        let found = unneeded(&root, &[path("/app")], &[path("/app")], &[], &platform()).expect("readable");
        let out = |text: &str| found.holds(&root, &path(&format!("/app/node_modules/{text}")));
        assert!(!out("@r/nodes/examples") && out("@r/other/docs") && out("plain/examples"));
    }

    #[test]
    fn what_the_call_names_stays_though_it_is_for_development() {
        let mut tree = MemTree::default();
        let lock = r#"{"packages":{"node_modules/t":{"dev":true},"node_modules/typescript":{"dev":true},"node_modules/d":{"dev":true}}}"#;
        tree.file("/app/package.json", 0o644, "{}")
            .file("/app/node_modules/.package-lock.json", 0o644, lock)
            .file("/app/node_modules/t/package.json", 0o644, r#"{"peerDependencies":{"typescript":"*"}}"#)
            .file("/app/node_modules/typescript/package.json", 0o644, "{}")
            .file("/app/node_modules/typescript/lib/lib.d.ts", 0o644, "")
            .file("/app/node_modules/d/package.json", 0o644, "{}");
        let root = Root::new(Arc::new(tree));
        let out = |asked: &[RootPath], text: &str| {
            let found = unneeded(&root, &[path("/app")], &[path("/app")], asked, &platform()).expect("readable");
            found.holds(&root, &path(text))
        };
        let asked = [path("/app/node_modules/t")];
        assert!(out(&[], "/app/node_modules/t") && out(&asked, "/app/node_modules/d"));
        for kept in ["t", "typescript", "typescript/lib/lib.d.ts"] {
            assert!(!out(&asked, &format!("/app/node_modules/{kept}")), "{kept}");
        }
    }

    #[test]
    fn words_allow_and_forbid() {
        let words = |list: &[&str]| Words(list.iter().map(|word| (*word).to_owned()).collect());
        assert!(
            words(&[]).allow("linux") && words(&["linux", "win32"]).allow("linux") && words(&["!win32"]).allow("linux")
        );
        assert!(!words(&["darwin"]).allow("linux") && !words(&["!linux"]).allow("linux"));
    }
}
