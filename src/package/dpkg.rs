//! dpkg, of Debian and its kin: `/var/lib/dpkg/status` and `info/PACKAGE.list` (dpkg-query(1), deb-control(5)).

use std::collections::{BTreeMap, HashMap};

use super::Packages;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

const STATUS: &[u8] = b"/var/lib/dpkg/status";
const INFO: &[u8] = b"/var/lib/dpkg/info";
/// Largest database file that is read.
const MAX_FILE: usize = 64 << 20;

pub(super) struct Dpkg<'r> {
    root: &'r Root,
    stanzas: BTreeMap<String, Stanza>,
    info: RootPath,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Stanza {
    source: String,
    is_for_all: bool,
    depends: Vec<String>,
}

impl<'r> Dpkg<'r> {
    pub(super) fn open(root: &'r Root) -> Result<Option<Self>, Error> {
        let Some((_, status)) = root.read_followed(STATUS, MAX_FILE)? else { return Ok(None) };
        let Some(info) = root.follow(INFO)?.dir().cloned() else { return Ok(None) };
        Ok(Some(Self { root, stanzas: parse_status(&String::from_utf8_lossy(&status)), info }))
    }

    fn list(&self, package: &str) -> Result<Vec<u8>, Error> {
        for name in [format!("{package}.list"), format!("{package}:{}.list", self.arch())] {
            let path = self.info.join(name.as_bytes());
            if self.root.meta(&path)?.is_some() {
                return self.root.read(&path, MAX_FILE);
            }
        }
        Ok(Vec::new())
    }

    /// The architecture that packages of several are listed under: that of the database itself.
    fn arch(&self) -> String {
        let text = self.root.read_followed(b"/var/lib/dpkg/arch", MAX_FILE).ok().flatten();
        let first = text.and_then(|(_, text)| String::from_utf8_lossy(&text).lines().next().map(str::to_owned));
        first.unwrap_or_else(|| "amd64".to_owned())
    }
}

impl Packages for Dpkg<'_> {
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        // Lists keep the old name of what lies in a merged directory.
        let spellings = |path: &RootPath| {
            let old = path.as_bytes().strip_prefix(b"/usr").map(<[u8]>::to_vec);
            [Some(path.as_bytes().to_vec()), old].into_iter().flatten().collect::<Vec<_>>()
        };
        let wanted: HashMap<Vec<u8>, &RootPath> =
            paths.iter().flat_map(|path| spellings(path).into_iter().map(move |text| (text, path))).collect();
        let mut found = BTreeMap::new();
        for name in self.root.list(&self.info)? {
            let Some(package) = name.strip_suffix(b".list") else { continue };
            let list = self.root.read(&self.info.join(&name), MAX_FILE)?;
            for path in list.split(|b| *b == b'\n').filter_map(|line| wanted.get(line)) {
                let package = String::from_utf8_lossy(package).into_owned();
                let package = package.split(':').next().unwrap_or_default().to_owned();
                found.insert((*path).clone(), package);
            }
        }
        Ok(found)
    }

    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error> {
        let list = self.list(package)?;
        Ok(list.split(|b| *b == b'\n').filter_map(RootPath::new).filter(|path| !path.is_root()).collect())
    }

    fn halves(&self, package: &str) -> Vec<String> {
        let Some(own) = self.stanzas.get(package) else { return Vec::new() };
        let is_half = |name: &&String| {
            self.stanzas.get(*name).is_some_and(|stanza| stanza.is_for_all && stanza.source == own.source)
        };
        own.depends.iter().filter(is_half).cloned().collect()
    }
}

/// The stanzas of a status file by package; of a dependency on one of several the first counts.
fn parse_status(text: &str) -> BTreeMap<String, Stanza> {
    let mut found = BTreeMap::new();
    for block in text.split("\n\n") {
        let mut stanza = Stanza::default();
        let mut name = String::new();
        for line in block.lines() {
            let Some((key, value)) = line.split_once(": ") else { continue };
            match key {
                "Package" => value.clone_into(&mut name),
                "Source" => value.split(' ').next().unwrap_or_default().clone_into(&mut stanza.source),
                "Architecture" => stanza.is_for_all = value == "all",
                "Depends" | "Pre-Depends" => {
                    let word =
                        |clause: &str| clause.trim().split([' ', ':', '|']).next().unwrap_or_default().to_owned();
                    stanza.depends.extend(value.split(',').map(word));
                }
                _ => {}
            }
        }
        if stanza.source.is_empty() {
            name.clone_into(&mut stanza.source);
        }
        if !name.is_empty() {
            found.insert(name, stanza);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::MemTree;

    #[test]
    fn owners_contents_and_halves_are_found() {
        let status = "Package: web\nArchitecture: amd64\nDepends: web-common (= 1), libc6 (>= 2), other | more\n\n\
                      Package: web-common\nSource: web (1)\nArchitecture: all\n\n\
                      Package: libc6\nSource: glibc\nArchitecture: amd64\n";
        let mut tree = MemTree::default();
        tree.file("/var/lib/dpkg/status", 0o644, status)
            .file("/var/lib/dpkg/info/web.list", 0o644, "/.\n/bin\n/bin/web\n/usr/lib/web\n")
            .file("/var/lib/dpkg/info/libc6:amd64.list", 0o644, "/.\n/lib/libc.so.6\n");
        let root = Root::new(Arc::new(tree));
        let database = Dpkg::open(&root).expect("readable").expect("a database");
        let path = |text| RootPath::new(text).expect("a path");
        let owner = |text| database.owners(&[path(text)]).expect("readable").remove(&path(text));
        assert_eq!(owner("/usr/bin/web").as_deref(), Some("web"));
        assert_eq!(owner("/usr/lib/libc.so.6").as_deref(), Some("libc6"));
        assert_eq!(owner("/usr/bin/we"), None);
        let contents = database.contents("web").expect("readable");
        assert_eq!(contents, ["/bin", "/bin/web", "/usr/lib/web"].map(path));
        assert_eq!(database.contents("libc6").expect("readable").len(), 2 - 1);
        assert_eq!(database.halves("web"), ["web-common"]);
    }
}
