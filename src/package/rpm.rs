//! rpm, the package manager of Fedora, Red Hat and SUSE: package headers in a database of one of three formats. The
//! records of an image are always in SQLite, which rpm 4.16 and newer and all scanners read. Headers keep their
//! signatures: files that are not in the image get the state "not installed", which `rpm --excludedocs` also uses for
//! documents.

mod bdb;
mod header;
mod ndb;
mod sqlite;
mod wal;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use header::Header;

use super::Packages;
use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;

/// Directories of databases, the newer one first; the older one is often a symlink to it.
const DIRS: [&str; 3] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];
const SQLITE: &[u8] = b"rpmdb.sqlite";
const LOG: &[u8] = b"rpmdb.sqlite-wal";
const NDB: &[u8] = b"Packages.db";
const BERKELEY: &[u8] = b"Packages";
/// Maximal size of a database that is read; that of a full workstation has 200 MB.
const MAX_DATABASE: usize = 1 << 30;

/// States and flags of files (rpmfiles.h).
const NORMAL: u32 = 0;
const NOT_INSTALLED: u8 = 2;
const LICENCE: u32 = 1 << 7;

pub(super) struct Rpm<'r> {
    root: &'r Root,
    place: RootPath,
    /// Packages by unique names.
    packages: BTreeMap<String, Package>,
}

struct Package {
    name: String,
    header: Header,
}

impl<'r> Rpm<'r> {
    pub(super) fn open(root: &'r Root) -> Result<Option<Self>, Error> {
        for dir in DIRS {
            let Some(place) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
            for kind in [SQLITE, NDB, BERKELEY] {
                let file = place.join(kind);
                let Some((_, bytes)) = root.read_followed(file.as_bytes(), MAX_DATABASE)? else { continue };
                let headers = match kind {
                    SQLITE => {
                        let log = root.read_followed(place.join(LOG).as_bytes(), MAX_DATABASE)?;
                        sqlite::headers(bytes, &log.map(|(_, log)| log).unwrap_or_default())
                    }
                    NDB => ndb::headers(&bytes),
                    _ => bdb::headers(&bytes),
                };
                let Some(headers) = headers else { return Err(damaged(&file)) };
                return Ok(Some(Self { root, place, packages: by_name(headers) }));
            }
        }
        Ok(None)
    }

    /// Packages with a name; several if they are installed for different architectures.
    fn named<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p Package> {
        let is_meant = move |(key, package): &(&String, &Package)| *key == name || package.name == name;
        self.packages.iter().filter(is_meant).map(|(_, package)| package)
    }

    /// True if a real path is the file that a package spells as `dir` and `name`: directories may have been merged
    /// since the package was built.
    fn is_spelled(&self, path: &RootPath, dir: &[u8], name: &[u8]) -> Result<bool, Error> {
        let spelled = [dir, name].concat();
        if path.as_bytes() == spelled || path.as_bytes().strip_prefix(b"/usr") == Some(&spelled) {
            return Ok(true);
        }
        Ok(dir.starts_with(b"/") && self.root.follow(dir)?.dir() == path.parent().as_ref())
    }
}

fn damaged(file: &RootPath) -> Error {
    Error::new("bad-package-database", format!("cannot read the rpm database {file}")).help(
        "run rpm --rebuilddb in the builder stage, or use --companions none --no-profile package-records --no-profile licences",
    )
}

/// Packages by name. Packages with the same name are keyed by name and architecture, or by everything that
/// distinguishes them.
fn by_name(headers: Vec<Vec<u8>>) -> BTreeMap<String, Package> {
    let all: Vec<Header> = headers.into_iter().filter_map(Header::parse).collect();
    let with_arch = |header: &Header| format!("{}.{}", header.text(header::NAME), header.text(header::ARCH));
    let mut names: HashMap<String, usize> = HashMap::new();
    for header in &all {
        *names.entry(header.text(header::NAME)).or_default() += 1;
        *names.entry(with_arch(header)).or_default() += 1;
    }
    let mut found = BTreeMap::new();
    for (number, header) in all.into_iter().enumerate() {
        let name = header.text(header::NAME);
        let is_one = |name: &str| names.get(name) == Some(&1);
        let mut key = match with_arch(&header) {
            _ if is_one(&name) => name.clone(),
            long if is_one(&long) => long,
            _ => nevra(&header),
        };
        if found.contains_key(&key) {
            key = format!("{key}#{number}");
        }
        if !name.is_empty() {
            found.insert(key, Package { name, header });
        }
    }
    found
}

/// Name, epoch, version, release and architecture, as rpm prints them.
fn nevra(header: &Header) -> String {
    let text = |tag| header.text(tag);
    let epoch = header.numbers(header::EPOCH).first().map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let (version, release) = (text(header::VERSION), text(header::RELEASE));
    format!("{}-{epoch}{version}-{release}.{}", text(header::NAME), text(header::ARCH))
}

impl Package {
    /// Files and directories with their states.
    fn files(&self) -> Vec<(&[u8], &[u8], u32)> {
        let states = self.header.numbers(header::FILE_STATES);
        let state = |at: usize| states.get(at).copied().unwrap_or(NORMAL);
        let files = self.header.files().into_iter().enumerate();
        files.map(|(at, (dir, name))| (dir, name, state(at))).collect()
    }

    fn path(dir: &[u8], name: &[u8]) -> Option<RootPath> {
        RootPath::new([dir, name].concat()).filter(|path| !path.is_root())
    }

    /// The header for the image: with the states of missing files, and without the installation time, which would
    /// change the digest with every build of the root.
    fn cut(&self, is_shipped: &dyn Fn(&RootPath) -> bool) -> Vec<u8> {
        let states = self.files().into_iter().map(|(dir, name, state)| match Self::path(dir, name) {
            Some(path) if state == NORMAL && !is_shipped(&path) => NOT_INSTALLED,
            _ => u8::try_from(state).unwrap_or_default(),
        });
        let states = states.take(self.header.numbers(header::FILE_STATES).len()).collect();
        let times =
            [header::INSTALL_TIME, header::INSTALL_TID].map(|tag| (tag, vec![0; 4 * self.header.numbers(tag).len()]));
        self.header.with(&[&[(header::FILE_STATES, states)], &times[..]].concat())
    }

    fn is_for_all(&self) -> bool {
        self.header.text(header::ARCH) == "noarch"
    }
}

impl Rpm<'_> {
    /// Required packages that are built from the same source.
    fn kin(&self, package: &str, fits: impl Fn(&Package) -> bool) -> Vec<String> {
        let Some(own) = self.packages.get(package) else { return Vec::new() };
        let source = own.header.text(header::SOURCE_RPM);
        let required: BTreeSet<&[u8]> = own.header.texts(header::REQUIRE_NAME).into_iter().collect();
        let is_kin = |kin: &Package| {
            fits(kin)
                && kin.header.text(header::SOURCE_RPM) == source
                && kin.header.texts(header::PROVIDE_NAME).iter().any(|name| required.contains(name))
        };
        let found = self.packages.iter().filter(|(key, kin)| *key != package && is_kin(kin));
        found.map(|(key, _)| key.clone()).collect()
    }
}

impl Packages for Rpm<'_> {
    fn owners(&self, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        let mut wanted: HashMap<&[u8], Vec<&RootPath>> = HashMap::new();
        for path in paths {
            wanted.entry(path.name()).or_default().push(path);
        }
        let mut found = BTreeMap::new();
        for (key, package) in &self.packages {
            for (dir, name, _) in package.files().into_iter().filter(|(_, _, state)| *state == NORMAL) {
                for path in wanted.get(name).into_iter().flatten() {
                    if !found.contains_key(*path) && self.is_spelled(path, dir, name)? {
                        found.insert((*path).clone(), key.clone());
                    }
                }
            }
        }
        Ok(found)
    }

    fn contents(&self, package: &str) -> Result<Vec<RootPath>, Error> {
        let files = self.named(package).flat_map(Package::files).filter(|(_, _, state)| *state == NORMAL);
        Ok(files.filter_map(|(dir, name, _)| Package::path(dir, name)).collect())
    }

    fn licences(&self, package: &str) -> Vec<RootPath> {
        let of = |package: &Package| -> Vec<RootPath> {
            let flags = package.header.numbers(header::FILE_FLAGS);
            let is_licence = |at: usize| flags.get(at).is_some_and(|flags| flags & LICENCE != 0);
            let files = package.header.files().into_iter().enumerate();
            files.filter(|(at, _)| is_licence(*at)).filter_map(|(_, (dir, name))| Package::path(dir, name)).collect()
        };
        self.packages.get(package).map(of).unwrap_or_default()
    }

    fn is_kin(&self, package: &str, other: &str) -> bool {
        let source = |key: &str| self.packages.get(key).map(|package| package.header.text(header::SOURCE_RPM));
        source(package).is_some() && source(package) == source(other)
    }

    fn halves(&self, package: &str) -> Vec<String> {
        self.kin(package, Package::is_for_all)
    }

    fn siblings(&self, package: &str) -> Vec<String> {
        self.kin(package, |_| true)
    }

    fn with_name(&self, name: &[u8]) -> Result<Option<String>, Error> {
        let has = |package: &Package| package.header.files().iter().any(|(_, file)| *file == name);
        Ok(self.packages.iter().find(|(_, package)| has(package)).map(|(key, _)| key.clone()))
    }

    fn records(
        &self,
        packages: &BTreeSet<String>,
        is_shipped: &dyn Fn(&RootPath) -> bool,
    ) -> Result<Vec<(RootPath, Vec<u8>)>, Error> {
        let kept = packages.iter().filter_map(|key| self.packages.get(key));
        let headers: Vec<Header> = kept.filter_map(|package| Header::parse(package.cut(is_shipped))).collect();
        if headers.is_empty() {
            return Ok(Vec::new());
        }
        let written = sqlite::write(&headers)
            .map_err(|error| Error::new("internal", format!("cannot generate the rpm records: {error}")))?;
        Ok(vec![(self.place.join(SQLITE), written)])
    }
}
