//! apk, the package manager of Alpine: `/lib/apk/db/installed` has one stanza per package, with lines that start with a
//! letter (apk-package(5); `P` is the name, `o` the source, `F` a directory, `R` a file in it).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Packages;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// Paths of the database; the second one is for roots with a merged /usr.
const PLACES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
const MAX_FILE: usize = 64 << 20;

pub(super) struct Apk {
    place: RootPath,
    packages: BTreeMap<String, Stanza>,
}

#[derive(Debug, Default)]
struct Stanza {
    lines: Vec<String>,
    origin: String,
    /// Directories and files, in order.
    contents: Vec<RootPath>,
}

impl Apk {
    pub(super) fn open(root: &Root) -> Result<Option<Self>, Error> {
        for place in PLACES {
            if let Some((_, text)) = root.read_followed(place.as_bytes(), MAX_FILE)?
                && let Some(place) = RootPath::new(place)
            {
                return Ok(Some(Self { place, packages: parse(&String::from_utf8_lossy(&text)) }));
            }
        }
        Ok(None)
    }
}

fn parse(text: &str) -> BTreeMap<String, Stanza> {
    let mut found = BTreeMap::new();
    for block in text.split("\n\n") {
        let mut stanza = Stanza::default();
        let mut name = String::new();
        let mut dir = RootPath::root();
        for line in block.lines() {
            stanza.lines.push(line.to_owned());
            match line.split_once(':') {
                Some(("P", value)) => value.clone_into(&mut name),
                Some(("o", value)) => value.clone_into(&mut stanza.origin),
                Some(("F", value)) => {
                    dir = RootPath::new(format!("/{value}")).unwrap_or_else(RootPath::root);
                    stanza.contents.push(dir.clone());
                }
                Some(("R", value)) => stanza.contents.extend(RootPath::new(format!("{dir}/{value}"))),
                _ => {}
            }
        }
        if !name.is_empty() {
            stanza.contents.retain(|path| !path.is_root());
            found.insert(name, stanza);
        }
    }
    found
}

impl Packages for Apk {
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        let mut owner: HashMap<Vec<u8>, &str> = HashMap::new();
        for (name, stanza) in &self.packages {
            for path in &stanza.contents {
                owner.insert(path.as_bytes().to_vec(), name);
            }
        }
        let mut found = BTreeMap::new();
        for path in paths {
            let text = path.as_bytes();
            let old = text.strip_prefix(b"/usr").unwrap_or(text);
            if let Some(name) = owner.get(text).or_else(|| owner.get(old)) {
                found.insert(path.clone(), (*name).to_owned());
            }
        }
        Ok(found)
    }

    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error> {
        Ok(self.packages.get(package).map(|stanza| stanza.contents.clone()).unwrap_or_default())
    }

    fn is_kin(&self, package: &str, other: &str) -> bool {
        let origin = |name: &str| self.packages.get(name).map(|stanza| &stanza.origin);
        origin(package).is_some() && origin(package) == origin(other)
    }

    fn halves(&self, package: &str) -> Vec<String> {
        // Data of a single program is in a package whose name starts with the program's package name.
        let Some(own) = self.packages.get(package) else { return Vec::new() };
        let is_half = |name: &&String| ["-common", "-data", "-config"].iter().any(|end| name.ends_with(end));
        let kin = self.packages.iter().filter(|(name, stanza)| stanza.origin == own.origin && *name != package);
        kin.map(|(name, _)| name).filter(is_half).cloned().collect()
    }

    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error> {
        let has = |stanza: &Stanza| stanza.contents.iter().any(|path| path.name() == name);
        Ok(self.packages.iter().find(|(_, stanza)| has(stanza)).map(|(package, _)| package.clone()))
    }

    fn records(
        &self,
        packages: &BTreeSet<String>,
        is_shipped: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Error> {
        let mut text = String::new();
        for stanza in packages.iter().filter_map(|name| self.packages.get(name)) {
            let mut dir = RootPath::root();
            let mut is_kept = true;
            for line in &stanza.lines {
                match line.split_once(':') {
                    Some(("F", value)) => {
                        dir = RootPath::new(format!("/{value}")).unwrap_or_else(RootPath::root);
                        is_kept = is_shipped(&dir);
                    }
                    Some(("R", value)) => {
                        is_kept = RootPath::new(format!("{dir}/{value}")).is_some_and(|path| is_shipped(&path));
                    }
                    // Modes and checksums of the previous line.
                    Some(("M" | "a" | "Z", _)) => {}
                    _ => is_kept = true,
                }
                if is_kept {
                    text.push_str(line);
                    text.push('\n');
                }
            }
            text.push('\n');
        }
        Ok(if text.is_empty() { Vec::new() } else { vec![(self.place.clone(), text.into_bytes())] })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    const DATABASE: &str = "C:Q1x\nP:zlib\nV:1.3\nA:x86_64\no:zlib\nF:lib\nR:libz.so.1\na:0:0:777\nR:libz.so.1.3\nZ:Q1y\n\n\
                            P:curl\nV:8\no:curl\nF:usr\nF:usr/bin\nR:curl\na:0:0:755\nF:usr/share/man\nR:curl.1\n\n";

    #[test]
    fn owners_are_found_and_records_hold_what_is_shipped() {
        let mut tree = MemTree::default();
        tree.file("/lib/apk/db/installed", 0o644, DATABASE);
        let root = Root::new(Arc::new(tree));
        let database = Apk::open(&root).expect("readable").expect("a database");
        let path = |text: &str| RootPath::new(text).expect("a path");
        let owners =
            database.owners(&[path("/usr/bin/curl"), path("/usr/lib/libz.so.1.3"), path("/x")]).expect("known");
        assert_eq!(owners.values().collect::<Vec<_>>(), ["curl", "zlib"]);
        assert_eq!(database.with_name(b"libz.so.1").expect("known").as_deref(), Some("zlib"));
        let shipped = |path: &RootPath| !path.to_string().contains("man");
        let records = database.records(&BTreeSet::from(["curl".to_owned()]), &shipped).expect("made");
        let text = String::from_utf8_lossy(&records[0].1).into_owned();
        assert_eq!(text, "P:curl\nV:8\no:curl\nF:usr\nF:usr/bin\nR:curl\na:0:0:755\n\n");
    }
}
