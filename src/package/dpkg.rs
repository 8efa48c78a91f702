//! dpkg, the package manager of Debian: `/var/lib/dpkg/status` and `info/PACKAGE.list` (dpkg-query(1), deb-control(5)).
//! Images with parts of packages have `status.d/PACKAGE` and `status.d/PACKAGE.md5sums`, which scanners read.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Packages;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

const STATUS: &[u8] = b"/var/lib/dpkg/status";
const INFO: &[u8] = b"/var/lib/dpkg/info";
/// Directory of the records of partial packages.
const PARTIAL: &[u8] = b"/var/lib/dpkg/status.d";
/// Maximal size of a database file that is read.
const MAX_FILE: usize = 64 << 20;

pub(super) struct Dpkg<'r> {
    root: &'r Root,
    stanzas: BTreeMap<String, Stanza>,
    info: RootPath,
    lists: OnceCell<Vec<List>>,
}

/// The paths of one package, one per line.
struct List {
    package: String,
    text: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Stanza {
    text: String,
    source: String,
    is_for_all: bool,
    depends: Vec<String>,
    /// All alternatives of what it depends on or recommends.
    wants: BTreeSet<String>,
    provides: BTreeSet<String>,
}

impl<'r> Dpkg<'r> {
    pub(super) fn open(root: &'r Root) -> Result<Option<Self>, Error> {
        let Some((_, status)) = root.read_followed(STATUS, MAX_FILE)? else { return Ok(None) };
        let Some(info) = root.follow(INFO)?.dir().cloned() else { return Ok(None) };
        let stanzas = parse_status(&String::from_utf8_lossy(&status));
        Ok(Some(Self { root, stanzas, info, lists: OnceCell::new() }))
    }

    /// Reads a database file of a package. Its name includes the architecture for multi-arch packages.
    fn info_file(&self, package: &str, what: &str) -> Result<Vec<u8>, Error> {
        let names = [format!("{package}.{what}"), format!("{package}:{}.{what}", self.arch())];
        // Names come from the status file and must not escape the directory.
        for name in names.iter().filter(|name| !name.contains('/')) {
            let path = self.info.join(name.as_bytes());
            if self.root.meta(&path)?.is_some() {
                return self.root.read(&path, MAX_FILE);
            }
        }
        Ok(Vec::new())
    }

    /// The file lists of all packages. Cached, because a root has hundreds of them and many rules look up owners.
    fn lists(&self) -> Result<&[List], Error> {
        if let Some(known) = self.lists.get() {
            return Ok(known);
        }
        let mut lists = Vec::new();
        for name in self.root.list(&self.info)? {
            let Some(package) = name.strip_suffix(b".list") else { continue };
            let package = String::from_utf8_lossy(package);
            let package = package.split(':').next().unwrap_or_default().to_owned();
            lists.push(List { package, text: self.root.read(&self.info.join(&name), MAX_FILE)? });
        }
        Ok(self.lists.get_or_init(|| lists))
    }

    /// The architecture in the names of multi-arch packages' lists: the native one of the database.
    fn arch(&self) -> String {
        let text = self.root.read_followed(b"/var/lib/dpkg/arch", MAX_FILE).ok().flatten();
        let first = text.and_then(|(_, text)| String::from_utf8_lossy(&text).lines().next().map(str::to_owned));
        first.unwrap_or_else(|| "amd64".to_owned())
    }
}

impl Packages for Dpkg<'_> {
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        // With a merged /usr, lists still have the old paths.
        let spellings = |path: &RootPath| {
            let old = path.as_bytes().strip_prefix(b"/usr").map(<[u8]>::to_vec);
            [Some(path.as_bytes().to_vec()), old].into_iter().flatten().collect::<Vec<_>>()
        };
        // Two paths may share a spelling: /bin/x is the old name of /usr/bin/x.
        let mut wanted: HashMap<Vec<u8>, Vec<&RootPath>> = HashMap::new();
        for path in paths {
            spellings(path).into_iter().for_each(|text| wanted.entry(text).or_default().push(path));
        }
        let mut found = BTreeMap::new();
        for list in self.lists()? {
            for path in list.text.split(|b| *b == b'\n').filter_map(|line| wanted.get(line)).flatten() {
                found.insert((*path).clone(), list.package.clone());
            }
        }
        Ok(found)
    }

    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error> {
        let list = self.info_file(package, "list")?;
        Ok(list.split(|b| *b == b'\n').filter_map(RootPath::new).filter(|path| !path.is_root()).collect())
    }

    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error> {
        let end = [b"/", name].concat();
        let names = |list: &&List| list.text.split(|b| *b == b'\n').any(|line| line.ends_with(&end));
        Ok(self.lists()?.iter().find(names).map(|list| list.package.clone()))
    }

    fn records(
        &self,
        packages: &BTreeSet<String>,
        is_shipped: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Error> {
        let dir = RootPath::new(PARTIAL).unwrap_or_else(RootPath::root);
        let mut found = Vec::new();
        for package in packages {
            let Some(stanza) = self.stanzas.get(package) else { continue };
            found.push((dir.join(package.as_bytes()), format!("{}\n", stanza.text).into_bytes()));
            let sums = self.info_file(package, "md5sums")?;
            let mut kept = Vec::new();
            for line in sums.split_inclusive(|b| *b == b'\n') {
                // A digest, two spaces, and the path without its leading slash.
                let path = line.get(34..).map(|path| [b"/", path.trim_ascii_end()].concat());
                if path.and_then(RootPath::new).is_some_and(|path| is_shipped(&path)) {
                    kept.extend_from_slice(line);
                }
            }
            if !kept.is_empty() {
                found.push((dir.join(format!("{package}.md5sums").as_bytes()), kept));
            }
        }
        Ok(found)
    }

    fn halves(&self, package: &str) -> Vec<String> {
        let Some(own) = self.stanzas.get(package) else { return Vec::new() };
        let is_half = |name: &&String| {
            self.stanzas.get(*name).is_some_and(|stanza| stanza.is_for_all && stanza.source == own.source)
        };
        own.depends.iter().filter(is_half).cloned().collect()
    }

    fn is_kin(&self, package: &str, other: &str) -> bool {
        let source = |name: &str| self.stanzas.get(name).map(|stanza| &stanza.source);
        source(package).is_some() && source(package) == source(other)
    }

    fn wants(&self, package: &str, other: &str) -> bool {
        let (Some(own), Some(theirs)) = (self.stanzas.get(package), self.stanzas.get(other)) else { return false };
        own.wants.contains(other) || theirs.provides.iter().any(|name| own.wants.contains(name))
    }

    fn siblings(&self, package: &str) -> Vec<String> {
        let Some(own) = self.stanzas.get(package) else { return Vec::new() };
        let is_kin = |name: &&String| self.stanzas.get(*name).is_some_and(|stanza| stanza.source == own.source);
        own.depends.iter().filter(is_kin).cloned().collect()
    }
}

/// The packages in a field of relations, without versions and architectures (deb-control(5)).
fn names(value: &str) -> impl Iterator<Item = String> {
    let all = value.split([',', '|']).filter_map(|one| one.trim().split([' ', ':', '(']).next());
    all.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The stanzas of a status file by package. Of alternative dependencies only the first is used.
fn parse_status(text: &str) -> BTreeMap<String, Stanza> {
    let mut found = BTreeMap::new();
    for block in text.split("\n\n") {
        let mut stanza = Stanza { text: block.trim_end().to_owned(), ..Stanza::default() };
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
                    stanza.wants.extend(names(value));
                }
                "Recommends" => stanza.wants.extend(names(value)),
                "Provides" => stanza.provides.extend(names(value)),
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
    fn records_are_the_stanza_and_the_sums_of_what_is_shipped() {
        let mut tree = MemTree::default();
        tree.file("/var/lib/dpkg/status", 0o644, "Package: web\nVersion: 1\nDescription: x\n y\n\n")
            .file("/var/lib/dpkg/info/web.list", 0o644, "/.\n/bin/web\n")
            .file(
                "/var/lib/dpkg/info/web.md5sums",
                0o644,
                "d41d8cd98f00b204e9800998ecf8427e  bin/web\nd41d8cd98f00b204e9800998ecf8427e  usr/share/doc/web/x\n",
            );
        let root = Root::new(Arc::new(tree));
        let database = Dpkg::open(&root).expect("readable").expect("a database");
        let shipped = |path: &RootPath| path.name() == b"web";
        let records = database.records(&BTreeSet::from(["web".to_owned()]), &shipped).expect("made");
        let shown: Vec<(String, String)> =
            records.iter().map(|(path, text)| (path.to_string(), String::from_utf8_lossy(text).into_owned())).collect();
        let record = |name: &str, text: &str| (format!("/var/lib/dpkg/status.d/{name}"), text.to_owned());
        assert_eq!(
            shown,
            [
                record("web", "Package: web\nVersion: 1\nDescription: x\n y\n"),
                record("web.md5sums", "d41d8cd98f00b204e9800998ecf8427e  bin/web\n")
            ]
        );
        assert_eq!(database.with_name(b"web").expect("known").as_deref(), Some("web"));
    }

    #[test]
    fn owners_contents_and_halves_are_found() {
        let status = "Package: web\nArchitecture: amd64\nDepends: web-common (= 1), web-plugins, libc6 (>= 2), other | more\n\n\
                      Package: web-common\nSource: web (1)\nArchitecture: all\n\n\
                      Package: web-plugins\nSource: web\nArchitecture: amd64\n\n\
                      Package: more-of-it\nProvides: more (= 1), x\n\n\
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
        assert_eq!(database.contents("../info/web").expect("readable"), []);
        let contents = database.contents("web").expect("readable");
        assert_eq!(contents, ["/bin", "/bin/web", "/usr/lib/web"].map(path));
        assert_eq!(database.contents("libc6").expect("readable").len(), 2 - 1);
        assert_eq!(database.halves("web"), ["web-common"]);
        assert_eq!(database.siblings("web"), ["web-common", "web-plugins"]);
        assert!(
            database.wants("web", "libc6") && database.wants("web", "more-of-it") && !database.wants("libc6", "web")
        );
        assert!(database.is_kin("web", "web-common") && !database.is_kin("web", "libc6"));
    }
}
