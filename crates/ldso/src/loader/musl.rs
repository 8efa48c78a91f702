//! musl: names, search order and candidates (ldso/dynlink.c, `load_library`). The loader is libc itself.

use std::rc::Rc;

use super::constants::LoaderConstants;
use super::objects::Objects;
use super::process::{Known, Rules};
use super::search::{Found, FoundBy, Outcome, Search, Via};
use super::{Conditions, Loaded, Process, Reads, Role};
use crate::elf::{ElfObject, Target};
use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::show;
use slimroot_rootfs::root::{End, FileKind};

/// Libraries that the loader itself provides: any name that starts with `lib` and one of these is the loader.
const RESERVED: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];
const MAX_PATH_FILE: usize = 1 << 20;
const MAX_NAME: usize = 255;

pub(super) struct Musl<'a> {
    objects: &'a Objects<'a>,
    conditions: &'a Conditions,
    constants: Rc<LoaderConstants>,
    target: Target,
    interpreter: Vec<u8>,
    secure: bool,
    /// The system path and the file that it came from, after its first use.
    system_path: Option<(Vec<u8>, Option<Vec<u8>>)>,
}

/// The result of opening one file of a list.
enum Opened {
    Found(Box<Found>),
    Next,
    Ends(&'static str),
    Fatal(&'static str),
}

impl<'a> Musl<'a> {
    pub(super) fn new(
        objects: &'a Objects<'_>,
        conditions: &'a Conditions,
        constants: Rc<LoaderConstants>,
        process: &Process,
    ) -> Self {
        let interpreter = process.loaded.iter().find(|object| object.role == Role::Interpreter);
        Self {
            objects,
            conditions,
            constants,
            target: process.loaded[0].elf.target,
            interpreter: interpreter.map(|object| object.path.clone()).unwrap_or_default(),
            secure: process.secure,
            system_path: None,
        }
    }

    fn open(&self, path: &[u8], by: FoundBy) -> Result<Opened, Error> {
        let followed = self.objects.root().follow_from(&self.conditions.cwd, path)?;
        Ok(match followed.end {
            End::Found(real, meta) if meta.kind == FileKind::File => {
                Opened::Found(Box::new(Found { path: path.to_vec(), real, meta, by, via: None }))
            }
            End::Found(..) => Opened::Fatal("not-regular: it is not a regular file"),
            End::Missing(_) | End::NotDirectory(_) | End::TooLong => Opened::Next,
            End::Loop => Opened::Ends("too many levels of symbolic links"),
        })
    }

    /// Searches one list; the first file that opens is used, whatever it is (`path_open`). Returns false if it ended
    /// the search.
    fn try_list(
        &self,
        search: &mut Search,
        list: &[u8],
        name: &[u8],
        by: FoundBy,
        whose: Option<&[u8]>,
    ) -> Result<bool, Error> {
        for dir in list.split(|b| matches!(b, b':' | b'\n')).filter(|dir| !dir.is_empty()) {
            let path = [dir, b"/", name].concat();
            match self.open(&path, by)? {
                Opened::Found(found) => {
                    search.step(by, &path, Outcome::Taken);
                    let via = Via { element: dir.to_vec(), whose: whose.map(<[u8]>::to_vec) };
                    search.found = Some(Found { via: Some(via), ..*found });
                    return Ok(false);
                }
                Opened::Next => search.step(by, &path, Outcome::NoFile),
                Opened::Ends(why) => {
                    search.step(by, &path, Outcome::EndsList(why.into()));
                    return Ok(false);
                }
                Opened::Fatal(why) => {
                    search.step(by, &path, Outcome::Fatal(why.into()));
                    search.fatal = Some((path, why.to_owned()));
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The run path of an object with `$ORIGIN` expanded; any other `$` invalidates the whole string (`fixup_rpath`).
    fn run_path(&self, object: &Loaded) -> Option<(FoundBy, Vec<u8>)> {
        let (by, text) = match (&object.elf.runpath, &object.elf.rpath) {
            (Some(text), _) => (FoundBy::Runpath, text),
            (None, Some(text)) => (FoundBy::Rpath, text),
            (None, None) => return None,
        };
        if !text.contains(&b'$') {
            return Some((by, text.clone()));
        }
        let is_entry = object.role == Role::Entry;
        let path = if is_entry { object.real.as_bytes() } else { &object.path };
        let origin = match path.iter().rposition(|b| *b == b'/') {
            Some(slash) => &path[..slash],
            None => b".",
        };
        if self.secure && (is_entry || !origin.starts_with(b"/")) {
            return None;
        }
        let mut expanded = Vec::new();
        let mut rest = text.as_slice();
        while let Some(at) = rest.iter().position(|b| *b == b'$') {
            expanded.extend_from_slice(&rest[..at]);
            let token = [&b"$ORIGIN"[..], b"${ORIGIN}"].into_iter().find(|token| rest[at..].starts_with(token))?;
            expanded.extend_from_slice(origin);
            rest = &rest[at + token.len()..];
        }
        expanded.extend_from_slice(rest);
        Some((by, expanded))
    }

    /// The system path. A file below the loader's prefix replaces the default completely, even if it is empty.
    fn system_path(&mut self) -> Result<Vec<u8>, Error> {
        if let Some((known, _)) = &self.system_path {
            return Ok(known.clone());
        }
        // The prefix is the interpreter's path without its last two components.
        let mut prefix = self.interpreter.as_slice();
        for _ in 0..2 {
            prefix = &prefix[..prefix.iter().rposition(|b| *b == b'/').unwrap_or(0)];
        }
        let file = [prefix, &self.constants.path_file].concat();
        let read = self.objects.root().follow_from(&self.conditions.cwd, &file)?.file().map(|(real, _)| real.clone());
        let path = match read {
            Some(real) => (self.objects.root().read(&real, MAX_PATH_FILE)?, Some(file)),
            None => (self.constants.system_path.clone(), None),
        };
        Ok(self.system_path.insert(path).0.clone())
    }

    fn search_bare(
        &mut self,
        search: &mut Search,
        loaded: &[Rc<Loaded>],
        requester: usize,
        name: &[u8],
    ) -> Result<(), Error> {
        match self.conditions.library_path.as_deref().filter(|text| !text.is_empty()) {
            Some(_) if self.secure => {
                search.skip_source(FoundBy::LdLibraryPath, "ignored: the entry runs with raised privileges");
            }
            Some(list) => {
                if !self.try_list(search, list, name, FoundBy::LdLibraryPath, None)? {
                    return Ok(());
                }
            }
            None => search.skip_source(FoundBy::LdLibraryPath, "not set"),
        }
        for at in std::iter::successors(Some(requester), |at| loaded[*at].loader) {
            let object = &loaded[at];
            match self.run_path(object) {
                Some((by, list)) if !self.try_list(search, &list, name, by, Some(&object.path))? => return Ok(()),
                Some(_) => {}
                None if object.elf.runpath.is_some() || object.elf.rpath.is_some() => {
                    let why =
                        format!("the run path of {} contains a token that musl does not know", show(&object.path));
                    search.skip_source(FoundBy::Runpath, why);
                }
                None => {}
            }
        }
        let list = self.system_path()?;
        self.try_list(search, &list, name, FoundBy::MuslPath, None)?;
        Ok(())
    }
}

impl Rules for Musl<'_> {
    fn known(&mut self, loaded: &[Rc<Loaded>], name: &[u8]) -> Option<Known> {
        let is_reserved =
            name.strip_prefix(b"lib").is_some_and(|rest| RESERVED.iter().any(|word| rest.starts_with(word)));
        if is_reserved || name == self.interpreter {
            return loaded.iter().position(|object| object.role == Role::Interpreter).map(Known::Object);
        }
        if name.contains(&b'/') {
            return None;
        }
        // Only short names match; musl ignores sonames.
        let answers = |object: &Rc<Loaded>| {
            !matches!(object.role, Role::Entry | Role::Interpreter | Role::Shim)
                && object.names.iter().any(|known| known == name)
        };
        loaded.iter().position(answers).map(Known::Object)
    }

    fn search(&mut self, loaded: &[Rc<Loaded>], requester: usize, name: &[u8]) -> Result<Search, Error> {
        let mut search = Search::default();
        if name.is_empty() || name.len() > MAX_NAME && !name.contains(&b'/') {
            return Ok(search);
        }
        if !name.contains(&b'/') {
            self.search_bare(&mut search, loaded, requester, name)?;
            return Ok(search);
        }
        match self.open(name, FoundBy::Direct)? {
            Opened::Found(found) => {
                search.step(FoundBy::Direct, name, Outcome::Taken);
                search.found = Some(*found);
            }
            Opened::Next | Opened::Ends(_) => search.step(FoundBy::Direct, name, Outcome::NoFile),
            Opened::Fatal(why) => {
                search.step(FoundBy::Direct, name, Outcome::Fatal(why.into()));
                search.fatal = Some((name.to_vec(), why.to_owned()));
            }
        }
        Ok(search)
    }

    fn names(&self, requested: &[u8], path: &[u8]) -> Vec<Vec<u8>> {
        if requested.contains(&b'/') { Vec::new() } else { vec![file_name(path).to_vec()] }
    }

    fn same_file(&mut self, _: usize, known: &mut Loaded, requested: &[u8]) {
        if known.names.is_empty() && !requested.contains(&b'/') {
            known.names.push(file_name(&known.path).to_vec());
        }
    }

    fn refuse(&self, elf: &ElfObject) -> Option<(&'static str, &'static str)> {
        if elf.target.class != self.target.class || elf.target.little_endian != self.target.little_endian {
            return Some(("wrong-class", "exec format error: wrong ELF class or byte order"));
        }
        // musl itself does not check this: it maps the file, then fails in the relocations or crashes.
        if elf.target.machine != self.target.machine {
            return Some(("wrong-machine", "it is built for another machine"));
        }
        if !elf.has_dynamic {
            return Some(("no-dynamic", "exec format error: it has no dynamic section"));
        }
        None
    }

    fn preloads(&self, list: Option<&[u8]>) -> Vec<Vec<u8>> {
        if self.secure {
            return Vec::new();
        }
        let is_separator = |b: &u8| *b == b':' || b.is_ascii_whitespace();
        list.unwrap_or_default().split(is_separator).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
    }

    fn has_filters(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>, process: &mut Process) {
        if let Some((_, Some(file))) = self.system_path {
            process.reads.push((Reads::PathFile, file));
        }
    }
}

fn file_name(path: &[u8]) -> &[u8] {
    &path[path.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1)..]
}
