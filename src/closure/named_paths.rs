//! Paths that a program holds as whole strings: its settings, the programs it starts, and, where no package says what
//! belongs to it, its data and plug-ins.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::rc::Rc;

use memchr::{memchr, memmem};

use super::build::Build;
use super::companions::{COMMANDS, NOT_RUN, is_library_dir, lies_in};
use super::strings::pieces;
use super::{Companions, Reason};
use crate::error::Error;
use crate::language::Command;
use crate::path::RootPath;
use crate::root::{FileKind, Meta, Root};

/// Longest list of paths that is looked for.
const MAX_LIST: usize = 1024;
/// Most paths that one program names.
const MAX_NAMED: usize = 4096;
/// What an engine mounts, what tells one machine from others, and hashes of passwords.
const OF_THE_BUILDER: &[&str] = &[
    "/etc/fstab",
    "/etc/group-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/machine-id",
    "/etc/mtab",
    "/etc/passwd-",
    "/etc/resolv.conf",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/sudoers",
];
/// Where programs that were not packaged have directories of their own, besides those of the distribution.
const OWN: [&[u8]; 10] = [
    b"/opt",
    b"/usr/libexec",
    b"/usr/local/etc",
    b"/usr/local/lib",
    b"/usr/local/libexec",
    b"/usr/local/share",
    b"/usr/share",
    b"/var/cache",
    b"/var/lib",
    b"/var/spool",
];

/// Who names a path.
struct Namer<'p> {
    /// The package that it came with.
    owner: Option<&'p str>,
    /// Whether it is a program, not a library.
    is_program: bool,
    /// Whether it is a program, or a library of its source.
    is_kin: bool,
}

impl Build<'_> {
    /// Adds what the programs of the closure name; of libraries that no package owns, their plug-ins too.
    pub(super) fn named_paths(&mut self) -> Result<(), Error> {
        if self.request.companions == Companions::None {
            return Ok(());
        }
        let mut objects: Vec<(RootPath, bool)> = Vec::new();
        for started in self.closure.processes.iter().filter(|started| started.required) {
            for (index, object) in started.process.loaded.iter().enumerate() {
                objects.push((object.real.clone(), index == 0));
            }
        }
        let mut seen = BTreeSet::new();
        objects.retain(|(real, _)| seen.insert(real.clone()));
        let reals: Vec<RootPath> = objects.iter().map(|(real, _)| real.clone()).collect();
        let owners = self.owners(&reals)?;
        let programs: Vec<RootPath> =
            objects.iter().filter(|(_, is_program)| *is_program).map(|(real, _)| real.clone()).collect();
        for (object, is_program) in objects {
            let owner = owners.get(&object).map(String::as_str);
            let by = Namer {
                owner,
                is_program,
                is_kin: is_program || self.is_kin_of_any(owner, programs.iter().filter_map(|real| owners.get(real)))?,
            };
            if by.is_kin || owner.is_none() && self.is_opener(&object)? {
                let texts = whole_paths(self.root, &object)?;
                self.hosted_by(Some(&object), |build| {
                    texts.iter().try_for_each(|text| build.named_path(&object, &by, text))
                })?;
            }
            if let Some(owner) = owner.filter(|_| is_program) {
                self.commands_of_kin(&object, owner)?;
            }
        }
        Ok(())
    }

    /// Commands that packages of the same source brought, and that a program which starts others holds the name of.
    fn commands_of_kin(&mut self, object: &RootPath, package: &str) -> Result<(), Error> {
        let Some(database) = self.database()? else { return Ok(()) };
        if !self.starts_programs(object)? {
            return Ok(());
        }
        let all = self.commands_with_owners()?;
        let is_kin = |owner: &String| owner != package && database.is_kin(package, owner);
        let kin: Vec<(&RootPath, &String)> = all.iter().filter(|(_, owner)| is_kin(owner)).collect();
        if kin.is_empty() {
            return Ok(());
        }
        let mut named = BTreeSet::new();
        pieces(self.root, object, |piece, _| {
            named.extend(kin.iter().map(|(path, _)| *path).filter(|path| ends_a_string(piece, path.name())));
            ControlFlow::Continue(())
        })?;
        for (path, owner) in kin.into_iter().filter(|(path, _)| named.contains(path)) {
            if self.is_elf(path)? && !self.closure.commands.contains(path) {
                let why = format!("{object} names it, {owner} is built from the same source, and it starts programs");
                self.command(object, &Command { name: path.to_string(), why }, 0)?;
            }
        }
        Ok(())
    }

    /// What lies in PATH and came with a package, with its name.
    fn commands_with_owners(&self) -> Result<Rc<BTreeMap<RootPath, String>>, Error> {
        if let Some(known) = self.commands_with_owners.get() {
            return Ok(Rc::clone(known));
        }
        let mut commands = Vec::new();
        for dir in self.path().split(':').filter_map(RootPath::new) {
            let Some(real) = self.root.follow(dir.as_bytes())?.dir().cloned() else { continue };
            commands.extend(self.root.list(&real)?.iter().map(|name| real.join(name)));
        }
        let owners = self.owners(&commands)?;
        Ok(Rc::clone(self.commands_with_owners.get_or_init(|| Rc::new(owners))))
    }

    /// Whether a package is built from the source of one of these.
    fn is_kin_of_any<'p>(
        &self,
        owner: Option<&str>,
        mut packages: impl Iterator<Item = &'p String>,
    ) -> Result<bool, Error> {
        let (Some(database), Some(owner)) = (self.database()?, owner) else { return Ok(false) };
        Ok(packages.any(|package| package == owner || database.is_kin(package, owner)))
    }

    fn named_path(&mut self, object: &RootPath, by: &Namer<'_>, text: &[u8]) -> Result<(), Error> {
        let Some(path) = RootPath::new(text) else { return Ok(()) };
        if lies_in(&path, COMMANDS) {
            return self.named_program(object, &path);
        }
        let (owner, is_program) = (by.owner, by.is_program);
        let is_settings = by.is_kin && lies_in(&path, &["/etc"]) && path.as_bytes() != b"/etc";
        let is_own = (owner.is_none() && is_below_own(&path, is_program)) || is_program && is_data(&path);
        let is_state = is_program && is_state(&path, owner.unwrap_or_default().as_bytes());
        if !(is_settings || is_own || is_state) || self.is_elsewhere(&path) {
            return Ok(());
        }
        let followed = self.root.follow(path.as_bytes())?;
        let Some((real, meta)) = followed.found().map(|(real, meta)| (real.clone(), *meta)) else { return Ok(()) };
        if self.is_elsewhere(&real) {
            return Ok(());
        }
        match meta.kind {
            FileKind::File if is_readable(&meta) => {
                self.named_file(object, &path, text)?;
                self.beside(object, by, &real)
            }
            FileKind::File => {
                self.left_to_its_owner(object, &path, 1);
                Ok(())
            }
            FileKind::Dir if is_own || is_settings => self.named_dir(object, &path, &real, text),
            _ => Ok(()),
        }
    }

    /// What lies in a directory that is named, but for what not everybody may read.
    fn named_dir(&mut self, object: &RootPath, path: &RootPath, real: &RootPath, text: &[u8]) -> Result<(), Error> {
        let mut left = 0;
        for below in self.root.below(path)? {
            let followed = self.root.follow(below.as_bytes())?;
            let Some((at, meta)) = followed.found().map(|(at, meta)| (at.clone(), *meta)) else { continue };
            // A link out of the directory leads to what is somebody else's.
            if meta.kind != FileKind::File || !at.is_within(real) || self.is_elsewhere(&below) {
                continue;
            }
            // Of a whole directory, what not everybody may read is a key or a password more often than not.
            match meta.is_for_all() {
                true => self.named_file(object, &below, text)?,
                false => left += usize::from(!self.closure.nodes.contains_key(&at)),
            }
        }
        if left > 0 {
            self.left_to_its_owner(object, &path.join(b"**"), left);
        }
        Ok(())
    }

    /// Tells what is named and stays out, since it may be a secret.
    fn left_to_its_owner(&mut self, object: &RootPath, path: &RootPath, files: usize) {
        let files = if files == 1 { "a file".to_owned() } else { format!("{files} files") };
        self.closure.notes.push(format!(
            "{object} names {files} that not everybody may read, left out as a secret of the builder's: --include '{path}' adds what it needs"
        ));
    }

    /// Settings that came in one package of the same source with a file that is named: it includes them; and the
    /// directories that they name.
    fn beside(&mut self, object: &RootPath, by: &Namer<'_>, settings: &RootPath) -> Result<(), Error> {
        let (Some(database), Some(owner), Some(dir)) = (self.database()?, by.owner, settings.parent()) else {
            return Ok(());
        };
        let package = database.owners(std::slice::from_ref(settings))?.remove(settings);
        let Some(package) = package.filter(|package| package != owner && database.is_kin(owner, package)) else {
            return Ok(());
        };
        let contents = database.contents(&package)?;
        for path in contents.iter().filter(|path| dir.as_bytes() != b"/etc" && path.is_within(&dir) && **path != dir) {
            if self.root.meta(path)?.is_some_and(|meta| meta.kind != FileKind::Dir && is_readable(&meta)) {
                self.companion(object, &package, path)?;
            }
        }
        for path in contents.iter().filter(|path| lies_in(path, &["/var"])) {
            self.companion(object, &package, path)?;
        }
        Ok(())
    }

    /// A program that is started by its path: what is machine code itself, since a script may bring a whole language.
    fn named_program(&mut self, object: &RootPath, path: &RootPath) -> Result<(), Error> {
        if !self.starts_programs(object)? || !self.is_elf(path)? || self.closure.commands.contains(path) {
            return Ok(());
        }
        let why = format!("{object} names it, and starts programs");
        self.command(object, &Command { name: path.to_string(), why }, 0)
    }

    fn named_file(&mut self, object: &RootPath, path: &RootPath, text: &[u8]) -> Result<(), Error> {
        let reason = Reason::Names { text: text.to_vec() };
        let real = self.closure.take(self.root, Some(object), &RootPath::root(), path.as_bytes(), reason)?;
        real.map_or(Ok(()), |real| self.elf_file(&real))
    }

    /// Whether a path is left to other rules, or out.
    fn is_elsewhere(&self, path: &RootPath) -> bool {
        lies_in(path, NOT_RUN)
            || lies_in(path, OF_THE_BUILDER)
            // Of what a language has taken in part, it has left the rest.
            || self.closure.homes.iter().any(|home| path.is_within(home) || home.is_within(path))
            || self.is_known_to_a_profile(path)
            || self.request.exclude.iter().any(|glob| glob.covers(path))
    }
}

/// Settings that are named may be for the group of a service; keys are for their owner alone.
fn is_readable(meta: &Meta) -> bool {
    meta.mode & 0o044 != 0
}

/// Whether a path lies in a directory of one program, of a kind that comes with programs; for a library, beside others.
fn is_below_own(path: &RootPath, is_program: bool) -> bool {
    path.ancestors().iter().any(|dir| is_library_dir(dir) || is_program && OWN.contains(&dir.as_bytes()))
        && !is_library_dir(path)
        && !OWN.contains(&path.as_bytes())
}

/// Whether a path is data of some program, or lies below.
fn is_data(path: &RootPath) -> bool {
    lies_in(path, &["/usr/share"]) && path.as_bytes() != b"/usr/share"
}

/// Whether a path is what a package has under /var/lib when it is installed.
fn is_state(path: &RootPath, package: &[u8]) -> bool {
    let dir = path.as_bytes().strip_prefix(b"/var/lib/").and_then(|rest| rest.split(|b| *b == b'/').next());
    dir.is_some_and(|dir| package.starts_with(dir))
}

/// The absolute paths that are whole strings of a file, or parts of a list with colons; sorted, without a closing slash.
fn whole_paths(root: &Root, file: &RootPath) -> Result<BTreeSet<Vec<u8>>, Error> {
    let mut found = BTreeSet::new();
    pieces(root, file, |piece, _| {
        for start in memmem::find_iter(piece, b"\0/") {
            let list = &piece[start + 1..piece.len().min(start + 1 + MAX_LIST)];
            let Some(end) = memchr(0, list) else { continue };
            let parts = list[..end].split(|b| *b == b':').map(|part| part.strip_suffix(b"/").unwrap_or(part));
            let is_path = |part: &&[u8]| part.starts_with(b"/") && part.iter().all(u8::is_ascii_graphic);
            found.extend(parts.filter(is_path).take(MAX_NAMED - found.len().min(MAX_NAMED)).map(<[u8]>::to_vec));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// Whether a word ends a string: linkers keep one that is the end of another only once.
fn ends_a_string(bytes: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    memmem::find_iter(bytes, &[word, b"\0"].concat()).any(|at| at > 0 && !is_part(&bytes[at - 1]))
}
