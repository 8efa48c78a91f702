//! apk, the package manager of Alpine: `/lib/apk/db/installed` has one stanza per package, with lines that start with a
//! letter (apk-package(5); `P` is the name, `o` the source, `F` a directory, `R` a file in it).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::{About, Manager, Packages};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// Paths of the database; the second one is for roots with a merged /usr.
const PLACES: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
const MAX_FILE: usize = 32 << 20;
/// Maximum length of a path (PATH_MAX of Linux).
const MAX_PATH: usize = 4095;

pub(super) struct Apk {
    place: RootPath,
    text: Vec<u8>,
    packages: BTreeMap<String, Stanza>,
}

struct Stanza {
    /// Its place in the database.
    span: Range<usize>,
    origin: String,
}

impl Apk {
    pub(super) fn open(root: &Root) -> Result<Option<Self>, Error> {
        for place in PLACES {
            if let Some((real, _)) = root.follow(place.as_bytes())?.file()
                && let Some(place) = RootPath::new(place)
            {
                let text = super::read(root, real, MAX_FILE)?;
                let packages = parse(&text)?;
                return Ok(Some(Self { place, text, packages }));
            }
        }
        Ok(None)
    }

    /// The directories and files of a package, in order.
    fn entries(&self, stanza: &Stanza) -> impl Iterator<Item = Entry<'_>> {
        let mut dir: &[u8] = b"";
        super::lines(&self.text[stanza.span.clone()]).filter_map(move |line| match line.split_at_checked(2)? {
            (b"F:", value) => {
                dir = value;
                Some(Entry { dir, name: b"" })
            }
            (b"R:", name) => Some(Entry { dir, name }),
            _ => None,
        })
    }
}

/// A directory, or a file in it.
struct Entry<'t> {
    dir: &'t [u8],
    name: &'t [u8],
}

impl Entry<'_> {
    fn path(&self) -> Option<RootPath> {
        if self.dir.len() + self.name.len() > MAX_PATH {
            return None;
        }
        RootPath::new([b"/", self.dir, b"/", self.name].concat()).filter(|path| !path.is_root())
    }

    /// The last part of the path, without building the path.
    fn last(&self) -> &[u8] {
        let whole = if self.name.is_empty() { self.dir } else { self.name };
        whole.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }
}

fn parse(text: &[u8]) -> Result<BTreeMap<String, Stanza>, Error> {
    let mut found = BTreeMap::new();
    for span in super::stanzas(text) {
        let (mut name, mut origin) = (String::new(), String::new());
        for line in super::lines(&text[span.clone()]) {
            match line.split_at_checked(2) {
                Some((b"P:", value)) => name = String::from_utf8_lossy(value).into_owned(),
                Some((b"o:", value)) => origin = String::from_utf8_lossy(value).into_owned(),
                _ => {}
            }
        }
        if !name.is_empty() {
            super::add(&mut found, name, Stanza { span, origin })?;
        }
    }
    Ok(found)
}

impl Packages for Apk {
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        let mut wanted: HashMap<&[u8], Vec<&RootPath>> = HashMap::new();
        for path in paths {
            wanted.entry(path.name()).or_default().push(path);
        }
        // With a merged /usr, packages may still have the old paths.
        let (mut found, mut old) = (BTreeMap::new(), BTreeMap::new());
        for (name, stanza) in &self.packages {
            for entry in self.entries(stanza) {
                let Some(wanted) = wanted.get(entry.last()) else { continue };
                let Some(spelled) = entry.path() else { continue };
                for path in wanted {
                    if **path == spelled {
                        found.insert((*path).clone(), name.clone());
                    } else if path.as_bytes().strip_prefix(b"/usr") == Some(spelled.as_bytes()) {
                        old.insert((*path).clone(), name.clone());
                    }
                }
            }
        }
        old.extend(found);
        Ok(old)
    }

    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error> {
        let Some(stanza) = self.packages.get(package) else { return Ok(Vec::new()) };
        super::paths(package, self.entries(stanza).filter_map(|entry| entry.path()))
    }

    fn names(&self) -> Vec<String> {
        self.packages.keys().cloned().collect()
    }

    fn about(&self, package: &str) -> Result<Option<About>, Error> {
        let Some(stanza) = self.packages.get(package) else { return Ok(None) };
        let value = |key: &[u8]| {
            let mut lines = super::lines(&self.text[stanza.span.clone()]);
            lines.find_map(|line| Some(String::from_utf8_lossy(line.strip_prefix(key)?).into_owned()))
        };
        Ok(Some(About {
            manager: Manager::Apk,
            name: package.to_owned(),
            version: value(b"V:").unwrap_or_default(),
            source: if stanza.origin.is_empty() { package.to_owned() } else { stanza.origin.clone() },
            source_version: None,
            architecture: value(b"A:").unwrap_or_default(),
            licence: value(b"L:").filter(|text| !text.is_empty()),
        }))
    }

    fn is_same_source(&self, package: &str, other: &str) -> bool {
        let origin = |name: &str| self.packages.get(name).map(|stanza| &stanza.origin);
        origin(package).is_some() && origin(package) == origin(other)
    }

    fn arch_all_parts(&self, package: &str) -> Vec<String> {
        // Data of a single program is in a package whose name starts with the program's package name.
        let Some(own) = self.packages.get(package) else { return Vec::new() };
        let is_half = |name: &&String| ["-common", "-data", "-config"].iter().any(|end| name.ends_with(end));
        let same = self.packages.iter().filter(|(name, stanza)| stanza.origin == own.origin && *name != package);
        same.map(|(name, _)| name).filter(is_half).cloned().collect()
    }

    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error> {
        let has = |stanza: &Stanza| self.entries(stanza).any(|entry| entry.last() == name);
        Ok(self.packages.iter().find(|(_, stanza)| has(stanza)).map(|(package, _)| package.clone()))
    }

    fn records(
        &self,
        packages: &BTreeSet<String>,
        is_shipped: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Error> {
        let mut text = Vec::new();
        for stanza in packages.iter().filter_map(|name| self.packages.get(name)) {
            let mut dir: &[u8] = b"";
            let mut is_kept = true;
            for line in super::lines(self.text[stanza.span.clone()].trim_ascii_end()) {
                match line.split_at_checked(2) {
                    Some((b"F:", value)) => {
                        dir = value;
                        is_kept = is_shipped(&Entry { dir, name: b"" }.path().unwrap_or_else(RootPath::root));
                    }
                    Some((b"R:", name)) => {
                        is_kept = Entry { dir, name }.path().is_some_and(|path| is_shipped(&path));
                    }
                    // Modes and checksums of the previous line.
                    Some((b"M:" | b"a:" | b"Z:", _)) => {}
                    _ => is_kept = true,
                }
                if is_kept {
                    text.extend_from_slice(line);
                    text.push(b'\n');
                }
            }
            text.push(b'\n');
        }
        Ok(if text.is_empty() { Vec::new() } else { vec![(self.place.clone(), text)] })
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
