//! glibc: names, search order and candidates (elf/dl-load.c, elf/dl-deps.c, elf/rtld.c).

use std::collections::HashMap;
use std::rc::Rc;

use super::cache::Cache;
use super::candidate::{Verdict, judge_head, judge_object};
use super::constants::LoaderConstants;
use super::lists::{Element, elements};
use super::machine::{cache_flags, levels, platform};
use super::objects::Objects;
use super::process::{Known, Rules};
use super::search::{Found, FoundBy, Outcome, Search, Via};
use super::tokens::{self, Tokens};
use super::{CACHE_PATH, Conditions, Loaded, Process, Reads, Role, Variant};
use crate::elf::{ElfObject, Target};
use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::show;
use slimroot_rootfs::root::{End, FileKind};

/// Names of the kernel's vDSO (the port's `vdso` linker scripts).
const VDSO: &[&[u8]] = &[b"linux-vdso.so.1", b"linux-gate.so.1", b"linux-vdso64.so.1", b"linux-vdso32.so.1"];

pub(super) struct Glibc<'a> {
    objects: &'a Objects<'a>,
    conditions: &'a Conditions,
    constants: Rc<LoaderConstants>,
    target: Target,
    secure: bool,
    /// True while the search is for a preload or an audit library.
    preloading: bool,
    /// Read on first use, because programs with run paths often never need it.
    cache: Option<Option<Rc<Cache>>>,
    cache_answered: bool,
    /// Existing subdirectories of each searched directory, which are searched before it.
    subdirs: HashMap<Vec<u8>, Rc<Vec<Subdir>>>,
    library_path: Option<Vec<Element>>,
    variants: Vec<Variant>,
    /// Names of the objects of the host of a plug-in.
    host: Rc<HashMap<Vec<u8>, usize>>,
    /// Names of the other ones of the first `indexed` objects, each with the first object that has it. A program with
    /// 200 libraries needs some thousand lookups.
    answered: HashMap<Vec<u8>, usize>,
    indexed: usize,
}

pub(super) struct Subdir {
    /// For example `glibc-hwcaps/x86-64-v3/`.
    path: Vec<u8>,
    /// The CPU level that it requires; `None` if it is searched on every CPU of the machine.
    level: Option<&'static str>,
}

/// The result of trying a file.
enum Tried {
    Taken(Box<Found>),
    Passed(Outcome),
}

/// The result of searching a list.
#[derive(PartialEq, Eq)]
enum Listed {
    Done,
    GoOn,
}

impl<'a> Glibc<'a> {
    pub(super) fn new(
        objects: &'a Objects<'_>,
        conditions: &'a Conditions,
        constants: Rc<LoaderConstants>,
        process: &Process,
    ) -> Self {
        Self {
            objects,
            conditions,
            constants,
            target: process.loaded[0].elf.target,
            secure: process.secure,
            preloading: false,
            cache: None,
            cache_answered: false,
            subdirs: HashMap::new(),
            library_path: None,
            variants: Vec::new(),
            host: if process.inherited > 0 { objects.names(&process.loaded) } else { Rc::default() },
            answered: HashMap::new(),
            indexed: process.inherited,
        }
    }

    fn is_active(&self, level: &str) -> bool {
        let rank = |wanted: &str| levels(&self.target).iter().position(|known| *known == wanted);
        match (&self.conditions.cpu, rank(level)) {
            (Some(cpu), Some(level)) => rank(cpu).is_some_and(|cpu| level >= cpu),
            _ => false,
        }
    }

    /// `$ORIGIN`. For the entry it is the directory of the real file, because the loader reads /proc/self/exe; for a
    /// library, that of its path as composed.
    fn origin(&self, object: &Loaded) -> Vec<u8> {
        let path = match object.role {
            Role::Entry => object.real.as_bytes(),
            _ => &object.path,
        };
        let mut absolute = Vec::new();
        if !path.starts_with(b"/") {
            absolute.extend_from_slice(self.conditions.cwd.as_bytes());
            if !absolute.ends_with(b"/") {
                absolute.push(b'/');
            }
        }
        absolute.extend_from_slice(path);
        let slash = absolute.iter().rposition(|b| *b == b'/').unwrap_or(0);
        absolute.truncate(slash.max(1));
        absolute
    }

    fn expand_list(&self, text: &[u8], separators: &[u8], object: &Loaded) -> Vec<Element> {
        let origin = self.origin(object);
        let platform = platform(&self.target);
        let tokens = Tokens { origin: Some(&origin), lib: &self.constants.lib, platform: &platform };
        elements(text, separators, &tokens, self.secure.then_some(&self.constants.default_dirs))
    }

    /// The existing subdirectories of `dir` that are searched before it.
    fn subdirs(&mut self, dir: &[u8]) -> Result<Rc<Vec<Subdir>>, Error> {
        if let Some(known) = self.subdirs.get(dir) {
            return Ok(Rc::clone(known));
        }
        let found = self
            .objects
            .subdirs((dir, &self.conditions.cwd), (self.target, &self.constants), || self.find_subdirs(dir))?;
        self.subdirs.insert(dir.to_vec(), Rc::clone(&found));
        Ok(found)
    }

    fn find_subdirs(&self, dir: &[u8]) -> Result<Vec<Subdir>, Error> {
        let mut wanted: Vec<(String, Option<&'static str>)> = Vec::new();
        if self.constants.has_hwcaps {
            wanted.extend(levels(&self.target).iter().map(|level| (format!("glibc-hwcaps/{level}/"), Some(*level))));
        }
        // Up to 2.36: `tls`, AT_PLATFORM and the capability names, nested, longest path first.
        if self.constants.release.is_none_or(|release| release <= (2, 36)) {
            let platform = String::from_utf8_lossy(&platform(&self.target)).into_owned();
            for legacy in [
                format!("tls/{platform}/{platform}/"),
                format!("tls/{platform}/"),
                "tls/".to_owned(),
                format!("{platform}/{platform}/"),
                format!("{platform}/"),
            ] {
                wanted.push((legacy, None));
            }
        }
        let mut found = Vec::new();
        for (path, level) in wanted {
            let path = path.into_bytes();
            let followed = self.objects.root().follow_from(&self.conditions.cwd, &[dir, &path].concat())?;
            if followed.dir().is_some() {
                found.push(Subdir { path, level });
            }
        }
        Ok(found)
    }

    /// Opens a file as `open_verify` does.
    fn try_file(&self, path: &[u8], by: FoundBy) -> Result<Tried, Error> {
        let followed = self.objects.root().follow_from(&self.conditions.cwd, path)?;
        let (real, meta) = match followed.end {
            End::Found(real, meta) => (real, meta),
            End::Missing(_) | End::NotDirectory(_) => return Ok(Tried::Passed(Outcome::NoFile)),
            End::Loop => return Ok(Tried::Passed(Outcome::EndsList("too many levels of symbolic links".into()))),
            End::TooLong => return Ok(Tried::Passed(Outcome::EndsList("file name too long".into()))),
        };
        match meta.kind {
            FileKind::File => {}
            FileKind::Dir => {
                return Ok(Tried::Passed(Outcome::Fatal(
                    "not-regular: cannot read file data: it is a directory".into(),
                )));
            }
            _ => return Ok(Tried::Passed(Outcome::Fatal("not-regular: it is a device, socket or pipe".into()))),
        }
        let read = self.objects.read(&real)?;
        Ok(match judge_head(&read.head, &self.target) {
            Verdict::Take => Tried::Taken(Box::new(Found { path: path.to_vec(), real, meta, by, via: None })),
            Verdict::Next(why) => Tried::Passed(Outcome::Skipped(why)),
            Verdict::Fatal(class, why) => Tried::Passed(Outcome::Fatal(format!("{class}: {why}").into())),
        })
    }

    /// Tries a file found in a directory list. In secure-execution mode, `open_path` ignores a preload that is not
    /// itself set-uid ("an extra security effort").
    fn try_listed(&self, path: &[u8], by: FoundBy) -> Result<Tried, Error> {
        const SET_UID: u32 = 0o4000;
        Ok(match self.try_file(path, by)? {
            Tried::Taken(found) if self.secure && self.preloading && found.meta.mode & SET_UID == 0 => {
                Tried::Passed(Outcome::Skipped("not set-uid, as a preload of a privileged program must be".into()))
            }
            tried => tried,
        })
    }

    /// Searches the directories of one list (`open_path`).
    fn try_list(
        &mut self,
        search: &mut Search,
        dirs: &[Element],
        name: &[u8],
        by: FoundBy,
        whose: Option<&[u8]>,
    ) -> Result<Listed, Error> {
        for element in dirs {
            let via = || Some(Via { element: element.written.clone(), whose: whose.map(<[u8]>::to_vec) });
            for subdir in self.subdirs(&element.dir)?.iter() {
                let path = [&element.dir, &subdir.path[..], name].concat();
                if let Some(level) = subdir.level.filter(|level| !self.is_active(level)) {
                    self.note_variant(search, name, level, path, by)?;
                    continue;
                }
                if let Tried::Taken(found) = self.try_listed(&path, by)? {
                    search.step(by, &path, Outcome::Taken);
                    search.found = Some(Found { via: via(), ..*found });
                    return Ok(Listed::Done);
                }
            }
            let path = [&element.dir, name].concat();
            match self.try_listed(&path, by)? {
                Tried::Taken(found) => {
                    search.step(by, &path, Outcome::Taken);
                    search.found = Some(Found { via: via(), ..*found });
                    return Ok(Listed::Done);
                }
                Tried::Passed(Outcome::Fatal(why)) => {
                    search.step(by, &path, Outcome::Fatal(why.clone()));
                    search.fatal = Some((path, why.into_owned()));
                    return Ok(Listed::Done);
                }
                Tried::Passed(outcome @ Outcome::EndsList(_)) => {
                    // If the directory is missing, the loader has marked it as nonexistent and does not try it.
                    let dir = if element.dir.is_empty() { b"." } else { element.dir.as_slice() };
                    let is_dir = self.objects.root().follow_from(&self.conditions.cwd, dir)?.dir().is_some();
                    search.step(by, &path, if is_dir { outcome } else { Outcome::NoFile });
                    if is_dir {
                        return Ok(Listed::GoOn);
                    }
                }
                Tried::Passed(outcome) => search.step(by, &path, outcome),
            }
        }
        Ok(Listed::GoOn)
    }

    /// Records a file that only a better CPU would load: it is not the result here, but it would be there.
    fn note_variant(
        &mut self,
        search: &mut Search,
        name: &[u8],
        level: &str,
        path: Vec<u8>,
        by: FoundBy,
    ) -> Result<(), Error> {
        if let Tried::Taken(_) = self.try_file(&path, by)? {
            search.step(by, &path, Outcome::Skipped(format!("only a CPU of level {level} or better takes it").into()));
            let variant = Variant { name: name.to_vec(), level: level.to_owned(), path };
            if !self.variants.contains(&variant) {
                self.variants.push(variant);
            }
        }
        Ok(())
    }

    /// Searches DT_RPATH of the requester and of the objects that loaded it, nearest first, then of the entry if that
    /// chain does not include it.
    fn try_rpaths(
        &mut self,
        search: &mut Search,
        loaded: &[Rc<Loaded>],
        requester: usize,
        name: &[u8],
    ) -> Result<Listed, Error> {
        let mut chain: Vec<usize> = std::iter::successors(Some(requester), |at| loaded[*at].loader).collect();
        if !chain.contains(&0) {
            chain.push(0);
        }
        let mut any = false;
        for at in chain {
            let object = &loaded[at];
            // DT_RPATH is ignored in an object that also has DT_RUNPATH.
            let Some(text) = object.elf.rpath.as_deref().filter(|_| object.elf.runpath.is_none()) else { continue };
            any = true;
            let dirs = self.expand_list(text, b":", object);
            if self.try_list(search, &dirs, name, FoundBy::Rpath, Some(&object.path))? == Listed::Done {
                return Ok(Listed::Done);
            }
        }
        if !any {
            search.skip_source(FoundBy::Rpath, "neither the requester nor its loaders have a DT_RPATH");
        }
        Ok(Listed::GoOn)
    }

    fn try_library_path(&mut self, search: &mut Search, loaded: &[Rc<Loaded>], name: &[u8]) -> Result<Listed, Error> {
        let Some(text) = self.conditions.library_path.as_deref().filter(|text| !text.is_empty()) else {
            search.skip_source(FoundBy::LdLibraryPath, "not set");
            return Ok(Listed::GoOn);
        };
        if self.secure {
            search.skip_source(
                FoundBy::LdLibraryPath,
                "ignored: the entry runs with raised privileges (set-uid, set-gid or capabilities)",
            );
            return Ok(Listed::GoOn);
        }
        let dirs = match self.library_path.take() {
            Some(dirs) => dirs,
            None => self.expand_list(text, b":;", &loaded[0]),
        };
        let listed = self.try_list(search, &dirs, name, FoundBy::LdLibraryPath, None);
        self.library_path = Some(dirs);
        listed
    }

    fn try_runpath(&mut self, search: &mut Search, object: &Loaded, name: &[u8]) -> Result<Listed, Error> {
        let Some(text) = object.elf.runpath.as_deref() else {
            search.skip_source(FoundBy::Runpath, "the requester has no DT_RUNPATH");
            return Ok(Listed::GoOn);
        };
        let dirs = self.expand_list(text, b":", object);
        self.try_list(search, &dirs, name, FoundBy::Runpath, Some(&object.path))
    }

    fn try_cache(&mut self, search: &mut Search, object: &Loaded, name: &[u8]) -> Result<Listed, Error> {
        if self.secure && self.preloading {
            search.skip_source(FoundBy::Cache, "not for a preload of a program with raised privileges");
            return Ok(Listed::GoOn);
        }
        if self.cache.is_none() {
            self.cache = Some(self.objects.cache(self.target.little_endian)?);
        }
        let Some(Some(cache)) = &self.cache else {
            search.skip_source(FoundBy::Cache, "there is no usable /etc/ld.so.cache");
            return Ok(Listed::GoOn);
        };
        let flags = cache_flags(&self.target);
        let lines: Vec<_> = cache.lookup(name).iter().filter(|line| line.flags == flags).cloned().collect();
        let size = cache.entries.len();
        let mut answer = None;
        for line in lines {
            let Some(value) = line.value else { continue };
            match line.level.as_deref().map(String::from_utf8_lossy) {
                Some(level) if !self.constants.has_hwcaps || !levels(&self.target).contains(&level.as_ref()) => {}
                Some(level) if self.is_active(&level) => {
                    answer = Some(value);
                    break;
                }
                Some(level) => self.note_variant(search, name, &level, value, FoundBy::Cache)?,
                None if line.hwcap == 0 => {
                    answer = Some(value);
                    break;
                }
                None => {}
            }
        }
        let Some(value) = answer else {
            search.skip_source(FoundBy::Cache, format!("{size} names in /etc/ld.so.cache, not this one"));
            return Ok(Listed::GoOn);
        };
        let is_default = |dir: &Vec<u8>| value.starts_with(dir);
        if object.elf.is_nodeflib() && self.constants.default_dirs.iter().any(is_default) {
            let why = "the cache names a file under a default directory, and the requester has DF_1_NODEFLIB";
            search.step(FoundBy::Cache, &value, Outcome::Skipped(why.into()));
            return Ok(Listed::GoOn);
        }
        match self.try_file(&value, FoundBy::Cache)? {
            Tried::Taken(found) => {
                search.step(FoundBy::Cache, &value, Outcome::Taken);
                search.found = Some(Found { via: Some(Via { element: CACHE_PATH.to_vec(), whose: None }), ..*found });
                self.cache_answered = true;
                Ok(Listed::Done)
            }
            Tried::Passed(Outcome::Fatal(why)) => {
                search.step(FoundBy::Cache, &value, Outcome::Fatal(why.clone()));
                search.fatal = Some((value, why.into_owned()));
                Ok(Listed::Done)
            }
            Tried::Passed(outcome) => {
                search.step(FoundBy::Cache, &value, outcome);
                Ok(Listed::GoOn)
            }
        }
    }

    fn try_defaults(&mut self, search: &mut Search, object: &Loaded, name: &[u8]) -> Result<Listed, Error> {
        if object.elf.is_nodeflib() {
            search.skip_source(FoundBy::Default, "the requester has DF_1_NODEFLIB");
            return Ok(Listed::GoOn);
        }
        let element = |dir: &Vec<u8>| Element { written: dir.clone(), dir: dir.clone() };
        let dirs: Vec<Element> = self.constants.default_dirs.iter().map(element).collect();
        self.try_list(search, &dirs, name, FoundBy::Default, None)
    }

    /// A name with a slash is a path, which is opened directly after its tokens are expanded.
    fn try_path(&self, search: &mut Search, object: &Loaded, name: &[u8]) -> Result<(), Error> {
        let origin = self.origin(object);
        let platform = platform(&self.target);
        if self.secure && tokens::has_token(name) {
            let why = "a token in a needed name is refused when running with raised privileges";
            search.step(FoundBy::Direct, name, Outcome::Fatal(why.into()));
            search.fatal = Some((name.to_vec(), why.to_owned()));
            return Ok(());
        }
        let tokens = Tokens { origin: Some(&origin), lib: &self.constants.lib, platform: &platform };
        let Some(path) = tokens::expand(name, &tokens).filter(|path| !path.is_empty()) else { return Ok(()) };
        match self.try_file(&path, FoundBy::Direct)? {
            Tried::Taken(found) => {
                search.step(FoundBy::Direct, &path, Outcome::Taken);
                search.found = Some(*found);
            }
            Tried::Passed(Outcome::Fatal(why)) => {
                search.step(FoundBy::Direct, &path, Outcome::Fatal(why.clone()));
                search.fatal = Some((path, why.into_owned()));
            }
            Tried::Passed(outcome) => search.step(FoundBy::Direct, &path, outcome),
        }
        Ok(())
    }
}

impl Rules for Glibc<'_> {
    fn known(&mut self, loaded: &[Rc<Loaded>], name: &[u8]) -> Option<Known> {
        if VDSO.contains(&name) {
            return Some(Known::Vdso);
        }
        for (index, object) in loaded.iter().enumerate().skip(self.indexed) {
            for known in object.all_names() {
                self.answered.entry(known.to_vec()).or_insert(index);
            }
        }
        self.indexed = loaded.len();
        self.host.get(name).or_else(|| self.answered.get(name)).copied().map(Known::Object)
    }

    fn search(&mut self, loaded: &[Rc<Loaded>], requester: usize, name: &[u8]) -> Result<Search, Error> {
        let mut search = Search::default();
        let object = &loaded[requester];
        if name.contains(&b'/') {
            self.try_path(&mut search, object, name)?;
            return Ok(search);
        }
        if object.elf.runpath.is_some() {
            let why = format!("DT_RPATH is ignored: {} has a DT_RUNPATH", show(&object.path));
            search.skip_source(FoundBy::Rpath, why);
        } else {
            self.try_rpaths(&mut search, loaded, requester, name)?;
        }
        if !search.is_over() {
            self.try_library_path(&mut search, loaded, name)?;
        }
        if !search.is_over() {
            self.try_runpath(&mut search, object, name)?;
        }
        if !search.is_over() {
            self.try_cache(&mut search, object, name)?;
        }
        if !search.is_over() {
            self.try_defaults(&mut search, object, name)?;
        }
        Ok(search)
    }

    fn names(&self, requested: &[u8], path: &[u8]) -> Vec<Vec<u8>> {
        vec![path.to_vec(), requested.to_vec()]
    }

    fn same_file(&mut self, index: usize, _: &mut Loaded, requested: &[u8]) {
        // Every object that already had this name would have matched before.
        self.answered.insert(requested.to_vec(), index);
    }

    fn refuse(&self, elf: &ElfObject) -> Option<(&'static str, &'static str)> {
        judge_object(elf)
    }

    fn preloads(&self, list: Option<&[u8]>) -> Vec<Vec<u8>> {
        let names = list.unwrap_or_default().split(|b| matches!(b, b' ' | b':'));
        // In secure-execution mode, paths are ignored (`dso_name_valid_for_suid` of rtld.c).
        names.filter(|name| !(name.is_empty() || self.secure && name.contains(&b'/'))).map(<[u8]>::to_vec).collect()
    }

    fn set_preloading(&mut self, is_on: bool) {
        self.preloading = is_on;
    }

    fn has_filters(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>, process: &mut Process) {
        process.variants = self.variants;
        if self.cache_answered {
            process.reads.push((Reads::Cache, CACHE_PATH.to_vec()));
        }
    }
}

/// Parses `/etc/ld.so.preload`: names are separated by blanks and colons; `#` starts a comment.
pub(super) fn preload_list(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|b| *b == b'\n')
        .flat_map(|line| {
            line.split(|b| *b == b'#').next().unwrap_or_default().split(|b| matches!(b, b' ' | b'\t' | b':'))
        })
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}
