//! dpkg, the package manager of Debian: `/var/lib/dpkg/status` and `info/PACKAGE.list` (dpkg-query(1), deb-control(5)).
//! Images with parts of packages have `status.d/PACKAGE` and `status.d/PACKAGE.md5sums`, which scanners read.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::{About, Manager, Packages};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Root};

const STATUS: &[u8] = b"/var/lib/dpkg/status";
const INFO: &[u8] = b"/var/lib/dpkg/info";
/// Directory of the records of partial packages.
const PARTIAL: &[u8] = b"/var/lib/dpkg/status.d";
/// The end of the names of files with checksums.
const SUMS: &[u8] = b".md5sums";
/// Maximum size of a copyright file that is read.
const MAX_COPYRIGHT: usize = 1 << 20;
/// Maximum size of the status and of a file of checksums.
const MAX_FILE: usize = 32 << 20;
/// Maximum size of all lists together: a list can be a hard link of another one, or sparse.
const MAX_LISTS: usize = 96 << 20;
/// Maximum size of the list of architectures, of which one line is used.
const MAX_ARCH: usize = 4096;
const RELATIONS: &[&[u8]] = &[b"Depends", b"Pre-Depends", b"Recommends", b"Suggests", b"Enhances"];

pub(super) struct Dpkg<'r> {
    root: &'r Root,
    status: Vec<u8>,
    stanzas: BTreeMap<String, Stanza>,
    info: RootPath,
    lists: OnceCell<Vec<List>>,
    /// The last list with each path, by a hash of the path.
    index: OnceCell<Index>,
    relations: OnceCell<Relations>,
}

/// The installed packages that each package names in its relations, by itself or by something that it provides
/// (deb-control(5)). Every alternative counts.
#[derive(Default)]
struct Relations {
    /// Depends, Pre-Depends, Recommends.
    needs: BTreeMap<String, BTreeSet<String>>,
    /// Suggests.
    suggests: BTreeMap<String, BTreeSet<String>>,
    /// The packages that name a package in Depends, Recommends or Enhances.
    dependents: BTreeMap<String, BTreeSet<String>>,
}

type Index = (RandomState, HashMap<u64, (u32, u32)>);

/// The paths of one package, one per line.
struct List {
    package: String,
    text: Vec<u8>,
}

struct Stanza {
    /// Its place in the status.
    span: Range<usize>,
    source: String,
    is_for_all: bool,
    /// True if every package may use it without a dependency.
    is_essential: bool,
}

impl<'r> Dpkg<'r> {
    pub(super) fn open(root: &'r Root) -> Result<Option<Self>, Error> {
        let followed = root.follow(STATUS)?;
        let Some((status, _)) = followed.file() else { return Ok(None) };
        let Some(info) = root.follow(INFO)?.dir().cloned() else { return Ok(None) };
        let status = super::read(root, status, MAX_FILE)?;
        let stanzas = parse_status(&status)?;
        Ok(Some(Self {
            root,
            status,
            stanzas,
            info,
            lists: OnceCell::new(),
            index: OnceCell::new(),
            relations: OnceCell::new(),
        }))
    }

    /// Opens the records of partial packages as a database: the stanzas, and the paths in the checksums.
    pub(super) fn open_partial(root: &'r Root) -> Result<Option<Self>, Error> {
        let Some(dir) = root.follow(PARTIAL)?.dir().cloned() else { return Ok(None) };
        let (mut status, mut lists, mut left) = (Vec::new(), Vec::new(), MAX_LISTS);
        for name in root.list(&dir)? {
            let path = dir.join(&name);
            let Some(meta) = root.meta(&path)?.filter(|meta| meta.kind == FileKind::File) else { continue };
            if name.ends_with(SUMS) || meta.size > left as u64 {
                continue;
            }
            let stanza = root.read(&path, left)?;
            left -= stanza.len();
            let package = super::lines(&stanza).filter_map(field).find(|(key, _)| *key == b"Package");
            let Some((_, package)) = package else { continue };
            let sums = dir.join(&[&name, SUMS].concat());
            let sums = if root.meta(&sums)?.is_some() { super::read(root, &sums, MAX_FILE)? } else { Vec::new() };
            let paths = super::lines(&sums).filter_map(|line| line.get(34..)).flat_map(|path| [b"/", path, b"\n"]);
            let mut text: Vec<u8> = paths.flatten().copied().collect();
            text.extend(conffiles(&stanza).flat_map(|path| [path, b"\n"]).flatten());
            lists.push(List { package: String::from_utf8_lossy(package).into_owned(), text });
            status.extend_from_slice(stanza.trim_ascii());
            status.extend_from_slice(b"\n\n");
        }
        let stanzas = parse_status(&status)?;
        Ok(Some(Self {
            root,
            status,
            stanzas,
            info: dir,
            lists: OnceCell::from(lists),
            index: OnceCell::new(),
            relations: OnceCell::new(),
        }))
    }

    /// Reads a database file of a package. Its name includes the architecture for multi-arch packages.
    fn info_file(&self, package: &str, what: &str) -> Result<Vec<u8>, Error> {
        let names = [format!("{package}.{what}"), format!("{package}:{}.{what}", self.arch())];
        // Names come from the status file and must not escape the directory.
        for name in names.iter().filter(|name| !name.contains('/')) {
            let path = self.info.join(name.as_bytes());
            if self.root.meta(&path)?.is_some() {
                return super::read(self.root, &path, MAX_FILE);
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
        let mut left = MAX_LISTS;
        for name in self.root.list(&self.info)? {
            let Some(package) = name.strip_suffix(b".list") else { continue };
            let package = String::from_utf8_lossy(package);
            let package = package.split(':').next().unwrap_or_default().to_owned();
            if lists.len() == super::MAX_PACKAGES {
                let what = format!("{} has more file lists", self.info);
                return Err(super::too_large(what, super::MAX_PACKAGES));
            }
            let path = self.info.join(&name);
            let size = self.root.meta(&path)?.map_or(0, |meta| meta.size);
            if size > left as u64 {
                let what = format!("{path} has {size} bytes, and all file lists together are larger");
                return Err(super::too_large(what, format!("{} MiB of lists", MAX_LISTS >> 20)));
            }
            let text = self.root.read(&path, left)?;
            left -= text.len();
            lists.push(List { package, text });
        }
        Ok(self.lists.get_or_init(|| lists))
    }

    /// The index of the last list that has this path.
    fn last_list(&self, lists: &[List], path: &[u8]) -> Option<usize> {
        let (state, places) = self.index.get_or_init(|| {
            let (state, mut places) = (RandomState::new(), HashMap::new());
            for (at, list) in (0_u32..).zip(lists) {
                let mut start = 0_u32;
                for line in list.text.split(|b| *b == b'\n') {
                    places.insert(state.hash_one(line), (at, start));
                    // All lists together have less than MAX_LISTS bytes.
                    start += u32::try_from(line.len() + 1).unwrap_or(0);
                }
            }
            (state, places)
        });
        let (list, start) = places.get(&state.hash_one(path)).map(|(list, start)| (*list as usize, *start as usize))?;
        let rest = lists[list].text[start..].strip_prefix(path)?;
        (rest.is_empty() || rest[0] == b'\n').then_some(list)
    }

    /// The architecture in the names of multi-arch packages' lists: the native one of the database.
    fn arch(&self) -> String {
        let text = self.root.read_followed(b"/var/lib/dpkg/arch", MAX_ARCH).ok().flatten();
        let first = text.and_then(|(_, text)| String::from_utf8_lossy(&text).lines().next().map(str::to_owned));
        first.unwrap_or_else(|| "amd64".to_owned())
    }
}

/// The configuration files of a stanza, which are not in the checksums: lines of path, digest and flags
/// (dpkg-query(1), "Conffiles").
fn conffiles(stanza: &[u8]) -> impl Iterator<Item = &[u8]> {
    let field = super::lines(stanza).skip_while(|line| !line.starts_with(b"Conffiles:")).skip(1);
    let rows = field.map_while(|line| line.strip_prefix(b" "));
    rows.filter_map(|row| row.split(|byte| *byte == b' ').next()).filter(|path| path.starts_with(b"/"))
}

impl Packages for Dpkg<'_> {
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        let lists = self.lists()?;
        let mut found = BTreeMap::new();
        for path in paths {
            // With a merged /usr, lists still have the old paths.
            let spellings = [Some(path.as_bytes()), path.as_bytes().strip_prefix(b"/usr")];
            if let Some(list) = spellings.into_iter().flatten().filter_map(|text| self.last_list(lists, text)).max() {
                found.insert(path.clone(), lists[list].package.clone());
            }
        }
        Ok(found)
    }

    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error> {
        let list = self.info_file(package, "list")?;
        super::paths(package, super::lines(&list).filter_map(RootPath::new).filter(|path| !path.is_root()))
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
            let text = self.status[stanza.span.clone()].trim_ascii_end();
            found.push((dir.join(package.as_bytes()), [text, b"\n"].concat()));
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

    fn names(&self) -> Vec<String> {
        self.stanzas.keys().cloned().collect()
    }

    fn about(&self, package: &str) -> Result<Option<About>, Error> {
        let Some(stanza) = self.stanzas.get(package) else { return Ok(None) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = |key| self.fields(stanza, key).next().map(|(_, value)| value).unwrap_or_default();
        let source = text(value(&[b"Source"]));
        let version = source.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')')).map(str::to_owned);
        let copyright = format!("/usr/share/doc/{package}/copyright");
        let copyright = self.root.read_followed(copyright.as_bytes(), MAX_COPYRIGHT)?;
        Ok(Some(About {
            manager: Manager::Deb,
            name: package.to_owned(),
            version: text(value(&[b"Version"])),
            source: stanza.source.clone(),
            source_version: version,
            architecture: text(value(&[b"Architecture"])),
            licence: copyright.and_then(|(_, text)| super::about::licences_of_copyright(&text)),
        }))
    }

    fn arch_all_parts(&self, package: &str) -> Vec<String> {
        self.related(package, |stanza| stanza.is_for_all)
    }

    fn is_same_source(&self, package: &str, other: &str) -> bool {
        let source = |name: &str| self.stanzas.get(name).map(|stanza| &stanza.source);
        source(package).is_some() && source(package) == source(other)
    }

    fn wants(&self, package: &str, other: &str) -> bool {
        self.relates(package, other, &[b"Depends", b"Pre-Depends", b"Recommends"])
    }

    fn depends(&self, package: &str, other: &str) -> bool {
        self.relates(package, other, &[b"Depends", b"Pre-Depends"])
    }

    fn scripts(&self, package: &str) -> Result<Vec<u8>, Error> {
        let mut text = Vec::new();
        for kind in ["preinst", "postinst", "prerm", "postrm", "config"] {
            text.extend(self.info_file(package, kind)?);
        }
        Ok(text)
    }

    fn same_source_dependencies(&self, package: &str) -> Vec<String> {
        self.related(package, |_| true)
    }

    fn needed_by(&self, package: &str) -> Option<BTreeSet<String>> {
        self.stanzas.get(package)?;
        let relations = self.relations();
        let mut open = vec![package.to_owned()];
        open.extend(self.stanzas.iter().filter(|(_, one)| one.is_essential).map(|(name, _)| name.clone()));
        open.extend(relations.suggests.get(package).into_iter().flatten().cloned());
        let mut found = BTreeSet::new();
        while let Some(name) = open.pop() {
            open.extend(
                relations.needs.get(&name).into_iter().flatten().filter(|next| !found.contains(*next)).cloned(),
            );
            found.insert(name);
        }
        Some(found)
    }

    fn dependents(&self, package: &str) -> Vec<String> {
        self.relations().dependents.get(package).into_iter().flatten().cloned().collect()
    }
}

/// The names in a field of relations, in all alternatives, without architectures and versions (deb-control(5)).
fn names(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let all = value.split(|b| b",|".contains(b));
    all.filter_map(|one| one.trim_ascii().split(|b| b" :(".contains(b)).next()).filter(|name| !name.is_empty())
}

/// True if a field of relations names one of these packages, in any alternative (deb-control(5)).
fn names_one(value: &[u8], wanted: &HashSet<Vec<u8>>) -> bool {
    names(value).any(|name| wanted.contains(name))
}

impl Dpkg<'_> {
    /// True if one of these fields of a package names another, or something that it provides.
    fn relates(&self, package: &str, other: &str, fields: &'static [&'static [u8]]) -> bool {
        let (Some(own), Some(theirs)) = (self.stanzas.get(package), self.stanzas.get(other)) else { return false };
        let mut names = HashSet::from([other.as_bytes().to_vec()]);
        for (_, value) in self.fields(theirs, &[b"Provides"]) {
            names.extend(self::names(value).map(<[u8]>::to_vec));
        }
        self.fields(own, fields).any(|(_, value)| names_one(value, &names))
    }

    fn relations(&self) -> &Relations {
        self.relations.get_or_init(|| {
            let mut by_name: HashMap<&[u8], BTreeSet<&str>> = HashMap::new();
            for (package, stanza) in &self.stanzas {
                by_name.entry(package.as_bytes()).or_default().insert(package);
                for (_, value) in self.fields(stanza, &[b"Provides"]) {
                    names(value).for_each(|name| _ = by_name.entry(name).or_default().insert(package));
                }
            }
            let mut relations = Relations::default();
            for (package, stanza) in &self.stanzas {
                for (key, value) in self.fields(stanza, RELATIONS) {
                    for other in names(value).filter_map(|name| by_name.get(name)).flatten().copied() {
                        let add = |of: &str, is: &str, to: &mut BTreeMap<String, BTreeSet<String>>| {
                            to.entry(of.to_owned()).or_default().insert(is.to_owned());
                        };
                        match key {
                            b"Suggests" => add(package, other, &mut relations.suggests),
                            b"Enhances" => add(other, package, &mut relations.dependents),
                            _ => {
                                add(package, other, &mut relations.needs);
                                add(other, package, &mut relations.dependents);
                            }
                        }
                    }
                }
            }
            relations
        })
    }

    /// The fields of a stanza with these keys.
    fn fields<'s>(
        &'s self,
        stanza: &Stanza,
        keys: &'static [&'static [u8]],
    ) -> impl Iterator<Item = (&'s [u8], &'s [u8])> {
        let all = super::lines(&self.status[stanza.span.clone()]).filter_map(field);
        all.filter(move |(key, _)| keys.contains(key))
    }

    /// Dependencies of a package that are built from the same source. Of alternatives only the first is used.
    fn related(&self, package: &str, fits: impl Fn(&Stanza) -> bool) -> Vec<String> {
        let Some(own) = self.stanzas.get(package) else { return Vec::new() };
        let is_same_source =
            |name: &str| self.stanzas.get(name).is_some_and(|stanza| stanza.source == own.source && fits(stanza));
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        let fields = super::lines(&self.status[own.span.clone()]).filter_map(field);
        for (_, value) in fields.filter(|(key, _)| matches!(*key, b"Depends" | b"Pre-Depends")) {
            for clause in value.split(|b| *b == b',') {
                let word = clause.trim_ascii().split(|b| b" :|".contains(b)).next().unwrap_or_default();
                let name = String::from_utf8_lossy(word);
                if is_same_source(&name) && seen.insert(word) {
                    found.push(name.into_owned());
                }
            }
        }
        found
    }
}

/// Key and value of a line.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memmem::find(line, b": ")?;
    Some((&line[..at], &line[at + 2..]))
}

/// The stanzas of a status file by package.
fn parse_status(status: &[u8]) -> Result<BTreeMap<String, Stanza>, Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = BTreeMap::new();
    for span in super::stanzas(status) {
        let (mut name, mut source) = (String::new(), String::new());
        let (mut is_for_all, mut is_essential) = (false, false);
        for (key, value) in super::lines(&status[span.clone()]).filter_map(field) {
            match key {
                b"Package" => name = text(value),
                b"Source" => source = text(value.split(|b| *b == b' ').next().unwrap_or_default()),
                b"Architecture" => is_for_all = value == b"all",
                b"Essential" => is_essential = value == b"yes",
                _ => {}
            }
        }
        if source.is_empty() {
            name.clone_into(&mut source);
        }
        if !name.is_empty() {
            super::add(&mut found, name, Stanza { span, source, is_for_all, is_essential })?;
        }
    }
    Ok(found)
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
    fn partial_records_own_configuration_files_too() {
        let mut tree = MemTree::default();
        let files =
            " /etc/web.conf d41d8cd98f00b204e9800998ecf8427e\n /etc/old d41d8cd98f00b204e9800998ecf8427e obsolete\n";
        let stanza = format!("Package: web\nVersion: 1\nConffiles:\n{files}Description: x\n /etc/other x\n");
        tree.file("/var/lib/dpkg/status.d/web", 0o644, stanza).file(
            "/var/lib/dpkg/status.d/web.md5sums",
            0o644,
            "d41d8cd98f00b204e9800998ecf8427e  bin/web\n",
        );
        let root = Root::new(Arc::new(tree));
        let database = Dpkg::open_partial(&root).expect("readable").expect("a database");
        let paths =
            ["/bin/web", "/etc/web.conf", "/etc/old", "/etc/other"].map(|text| RootPath::new(text).expect("one"));
        let owned: Vec<RootPath> = database.owners(&paths).expect("readable").into_keys().collect();
        assert_eq!(owned, [&paths[0], &paths[2], &paths[1]].map(Clone::clone));
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
        assert_eq!(database.arch_all_parts("web"), ["web-common"]);
        assert_eq!(database.same_source_dependencies("web"), ["web-common", "web-plugins"]);
        assert!(
            database.wants("web", "libc6") && database.wants("web", "more-of-it") && !database.wants("libc6", "web")
        );
        assert!(database.is_same_source("web", "web-common") && !database.is_same_source("web", "libc6"));
    }

    #[test]
    fn relations_are_followed_through_what_packages_provide() {
        let status = "Package: tool\nDepends: python3:any (>= 3.9), mail | smtp\nSuggests: extra\n\n\
                      Package: python3\nRecommends: zones\n\nPackage: postbox\nProvides: smtp (= 2)\n\n\
                      Package: zones\n\nPackage: extra\nDepends: deep\nSuggests: never\n\nPackage: deep\n\n\
                      Package: never\n\nPackage: always\nEssential: yes\n\nPackage: plugin\nEnhances: tool\n\nPackage: user\nDepends: tool\n";
        let mut tree = MemTree::default();
        tree.file("/var/lib/dpkg/status", 0o644, status).dir("/var/lib/dpkg/info", 0o755);
        let root = Root::new(Arc::new(tree));
        let database = Dpkg::open(&root).expect("readable").expect("a database");
        let needed: Vec<String> = database.needed_by("tool").expect("a known package").into_iter().collect();
        assert_eq!(needed, ["always", "deep", "extra", "postbox", "python3", "tool", "zones"]);
        assert_eq!(database.dependents("tool"), ["plugin", "user"]);
        assert_eq!(database.needed_by("nothing"), None);
    }
}
