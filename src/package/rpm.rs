//! rpm, the package manager of Fedora, Red Hat and SUSE: package headers in a database of one of three formats. The
//! records of an image are always in SQLite, which rpm 4.16 and newer and all scanners read. Headers keep their
//! signatures: files that are not in the image get the state "not installed", which `rpm --excludedocs` also uses for
//! documents.

mod bdb;
mod header;
mod ndb;
mod sqlite;
mod store;
mod wal;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use header::Header;
use store::{MAX_DATABASE, Store};

use super::{About, Manager, Packages};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{Root, Source};

/// Directories of databases, the newer one first; the older one is often a symlink to it.
const DIRS: [&str; 3] = ["/usr/lib/sysimage/rpm", "/var/lib/rpm", "/usr/share/rpm"];
const SQLITE: &[u8] = b"rpmdb.sqlite";
const LOG: &[u8] = b"rpmdb.sqlite-wal";
const NDB: &[u8] = b"Packages.db";
const BERKELEY: &[u8] = b"Packages";
/// Maximum size of what is kept of all headers, and of the headers that are written to an image.
const MAX_KEPT: usize = 64 << 20;
const MAX_RECORDS: usize = 32 << 20;

/// States and flags of files (rpmfiles.h).
const NORMAL: u32 = 0;
const NOT_INSTALLED: u8 = 2;
const LICENCE: u32 = 1 << 7;

pub(super) struct Rpm<'r> {
    root: &'r Root,
    place: RootPath,
    file: RootPath,
    store: Box<dyn Store>,
    /// Packages by unique names.
    packages: BTreeMap<String, Package>,
}

struct Package {
    name: String,
    /// Its number in the database.
    number: u64,
    /// The tags that are looked up.
    header: Header,
}

impl<'r> Rpm<'r> {
    pub(super) fn open(root: &'r Root) -> Result<Option<Self>, Error> {
        for dir in DIRS {
            let Some(place) = root.follow(dir.as_bytes())?.dir().cloned() else { continue };
            for kind in [SQLITE, NDB, BERKELEY] {
                let file = place.join(kind);
                let Some(source) = open_file(root, &file)? else { continue };
                let store = match kind {
                    SQLITE => {
                        let log = open_file(root, &place.join(LOG))?;
                        let copy = sqlite::Copy::open(&*source, log.as_deref());
                        let copy = copy.map_err(|error| Error::unreadable(&file, error))?;
                        copy.map(|copy| Box::new(copy) as Box<dyn Store>)
                    }
                    NDB => ndb::Ndb::open(source).map(|store| Box::new(store) as Box<dyn Store>),
                    _ => bdb::Berkeley::open(source).map(|store| Box::new(store) as Box<dyn Store>),
                };
                let Some(store) = store else { return Err(damaged(&file)) };
                let packages = by_name(slim_headers(&*store, &file)?)?;
                return Ok(Some(Self { root, place, file, store, packages }));
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

/// Opens a file of a database, unless it is too large.
fn open_file(root: &Root, path: &RootPath) -> Result<Option<Box<dyn Source>>, Error> {
    let followed = root.follow(path.as_bytes())?;
    let Some((real, meta)) = followed.file() else { return Ok(None) };
    if meta.size > MAX_DATABASE {
        let what = format!("{real} has {} bytes", meta.size);
        return Err(super::too_large(what, format!("{} MiB", MAX_DATABASE >> 20)));
    }
    Ok(Some(root.open_file(real)?))
}

/// Numbers and headers of all packages.
fn slim_headers(store: &dyn Store, file: &RootPath) -> Result<Vec<(u64, Header)>, Error> {
    let (mut all, mut left) = (Vec::new(), MAX_KEPT);
    let mut error = None;
    let read = store.each(&mut |number, bytes| {
        let Some(header) = Header::parse(bytes.to_vec()) else { return Some(()) };
        let slim = header.slim()?;
        let room = left.checked_sub(slim.bytes().len());
        if room.is_none() || all.len() == super::MAX_PACKAGES {
            let limit = format!("{} MiB of names of files and {} packages", MAX_KEPT >> 20, super::MAX_PACKAGES);
            error = Some(super::too_large(format!("{file} holds more"), limit));
        }
        left = room?;
        all.push((number, slim));
        error.is_none().then_some(())
    });
    match (error, read) {
        (Some(error), _) => Err(error),
        (None, Some(())) => Ok(all),
        (None, None) => Err(damaged(file)),
    }
}

/// Packages by name. Packages with the same name are keyed by name and architecture, or by everything that
/// distinguishes them.
fn by_name(all: Vec<(u64, Header)>) -> Result<BTreeMap<String, Package>, Error> {
    let with_arch = |header: &Header| format!("{}.{}", header.text(header::NAME), header.text(header::ARCH));
    let mut names: HashMap<String, usize> = HashMap::new();
    for (_, header) in &all {
        *names.entry(header.text(header::NAME)).or_default() += 1;
        *names.entry(with_arch(header)).or_default() += 1;
    }
    let mut found = BTreeMap::new();
    for (at, (number, header)) in all.into_iter().enumerate() {
        let name = header.text(header::NAME);
        let is_one = |name: &str| names.get(name) == Some(&1);
        let mut key = match with_arch(&header) {
            _ if is_one(&name) => name.clone(),
            long if is_one(&long) => long,
            _ => nevra(&header),
        };
        if found.contains_key(&key) {
            key = format!("{key}#{at}");
        }
        if !name.is_empty() {
            super::add(&mut found, key, Package { name, number, header })?;
        }
    }
    Ok(found)
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
    fn cut(&self, whole: &Header, is_shipped: &dyn Fn(&RootPath) -> bool) -> Vec<u8> {
        let states = self.files().into_iter().map(|(dir, name, state)| match Self::path(dir, name) {
            Some(path) if state == NORMAL && !is_shipped(&path) => NOT_INSTALLED,
            _ => u8::try_from(state).unwrap_or_default(),
        });
        let states = states.take(self.header.numbers(header::FILE_STATES).len()).collect();
        let times = [header::INSTALL_TIME, header::INSTALL_TID].map(|tag| (tag, vec![0; 4 * whole.numbers(tag).len()]));
        whole.with(&[&[(header::FILE_STATES, states)], &times[..]].concat())
    }

    fn is_for_all(&self) -> bool {
        self.header.text(header::ARCH) == "noarch"
    }
}

impl Rpm<'_> {
    /// Required packages that are built from the same source.
    fn related(&self, package: &str, fits: impl Fn(&Package) -> bool) -> Vec<String> {
        let Some(own) = self.packages.get(package) else { return Vec::new() };
        let source = own.header.text(header::SOURCE_RPM);
        let required: BTreeSet<&[u8]> = own.header.texts(header::REQUIRE_NAME).into_iter().collect();
        let is_same_source = |other: &Package| {
            fits(other)
                && other.header.text(header::SOURCE_RPM) == source
                && other.header.texts(header::PROVIDE_NAME).iter().any(|name| required.contains(name))
        };
        let found = self.packages.iter().filter(|(key, other)| *key != package && is_same_source(other));
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
        super::paths(package, files.filter_map(|(dir, name, _)| Package::path(dir, name)))
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

    fn names(&self) -> Vec<String> {
        self.packages.keys().cloned().collect()
    }

    fn about(&self, package: &str) -> Result<Option<About>, Error> {
        let Some(Package { name, header, .. }) = self.packages.get(package) else { return Ok(None) };
        let text = |tag| header.text(tag);
        let epoch = header.numbers(header::EPOCH).first().map(|epoch| format!("{epoch}:")).unwrap_or_default();
        // NAME-VERSION-RELEASE.src.rpm
        let file = text(header::SOURCE_RPM);
        let own = format!("{}-{}", text(header::VERSION), text(header::RELEASE));
        let parts = file.strip_suffix(".src.rpm").and_then(|stem| stem.rsplitn(3, '-').nth(2).map(|name| (stem, name)));
        let source = parts.map_or(name.as_str(), |(_, source)| source).to_owned();
        let of_source = parts.map(|(stem, source)| stem[source.len() + 1..].to_owned());
        Ok(Some(About {
            manager: Manager::Rpm,
            name: name.clone(),
            version: format!("{epoch}{own}"),
            source,
            source_version: of_source.filter(|version| *version != own),
            architecture: text(header::ARCH),
            licence: Some(text(header::LICENCE_NAME)).filter(|text| !text.is_empty()),
        }))
    }

    fn is_same_source(&self, package: &str, other: &str) -> bool {
        let source = |key: &str| self.packages.get(key).map(|package| package.header.text(header::SOURCE_RPM));
        source(package).is_some() && source(package) == source(other)
    }

    fn arch_all_parts(&self, package: &str) -> Vec<String> {
        self.related(package, Package::is_for_all)
    }

    fn same_source_dependencies(&self, package: &str) -> Vec<String> {
        self.related(package, |_| true)
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
        let kept: BTreeMap<u64, &Package> =
            packages.iter().filter_map(|key| self.packages.get(key)).map(|package| (package.number, package)).collect();
        let mut headers: BTreeMap<u64, Header> = BTreeMap::new();
        let mut left = MAX_RECORDS;
        let read = self.store.each(&mut |number, bytes| {
            if let Some(package) = kept.get(&number) {
                left = left.checked_sub(bytes.len())?;
                let whole = Header::parse(bytes.to_vec())?;
                headers.extend(Header::parse(package.cut(&whole, is_shipped)).map(|header| (number, header)));
            }
            Some(())
        });
        if read.is_none() {
            let what = format!("{} holds more of the packages of the image", self.file);
            return Err(super::too_large(what, format!("{} MiB of their headers", MAX_RECORDS >> 20)));
        }
        let numbers = packages.iter().filter_map(|key| Some(self.packages.get(key)?.number));
        let headers: Vec<Header> = numbers.filter_map(|number| headers.remove(&number)).collect();
        if headers.is_empty() {
            return Ok(Vec::new());
        }
        let written = sqlite::write(&headers)
            .map_err(|error| Error::new("internal", format!("cannot generate the rpm records: {error}")))?;
        Ok(vec![(self.place.join(SQLITE), written)])
    }
}
