//! Companions: what else the package of an entry brought, because it runs with it. Helper programs, plug-ins, data,
//! configuration and the directories it writes to; not documentation, and not the other commands of the package.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::{Companions, NodeKind, Reason};
use crate::error::Error;
use crate::path::RootPath;
use crate::profile::Profile;
use crate::root::FileKind;

/// What a package brings for people, other packages or the init system, not for the program that runs.
pub(super) const NOT_RUN: &[&str] = &[
    "/etc/apparmor.d",
    "/etc/bash_completion.d",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.monthly",
    "/etc/cron.weekly",
    "/etc/default",
    "/etc/init",
    "/etc/init.d",
    "/etc/logrotate.d",
    "/etc/rc.d",
    "/etc/sysconfig",
    "/etc/ufw",
    "/lib/systemd",
    "/usr/include",
    "/usr/lib/.build-id",
    "/usr/lib/debug",
    "/usr/lib/pkgconfig",
    "/usr/lib/rpm",
    "/usr/lib/systemd",
    "/usr/lib/sysusers.d",
    "/usr/lib/tmpfiles.d",
    "/usr/lib64/pkgconfig",
    "/usr/share/apport",
    "/usr/share/applications",
    "/usr/share/bash-completion",
    "/usr/share/bug",
    "/usr/share/doc",
    "/usr/share/doc-base",
    "/usr/share/info",
    "/usr/share/licenses",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/menu",
    "/usr/share/metainfo",
    "/usr/share/pixmaps",
    "/usr/share/pkgconfig",
];
/// Where packages put what another program reads: of that program's own packages it is the program's library.
const ADD_ONS: &[&str] = &["/usr/share/emacs", "/usr/share/fish", "/usr/share/gdb", "/usr/share/vim", "/usr/share/zsh"];
/// Other commands of the package: each would be an entry of its own, which `--bin` makes it.
pub(super) const COMMANDS: &[&str] =
    &["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/games", "/usr/local/bin", "/usr/local/sbin"];
/// What only linkers read.
const NOT_RUN_ENDS: &[&[u8]] = &[b".a", b".pc", b".h"];

impl Build<'_> {
    /// Adds the companions of every entry, and of every library if they are asked for.
    pub(super) fn companions(&mut self) -> Result<(), Error> {
        let mut asking: Vec<RootPath> = self.closure.entries.iter().map(|entry| entry.real.clone()).collect();
        if self.request.companions == Companions::All {
            let loaded = self.closure.processes.iter().flat_map(|started| &started.process.loaded);
            asking.extend(loaded.map(|object| object.real.clone()));
        }
        self.companions_of(&asking)?;
        self.siblings()
    }

    /// Adds what packages brought that are pieces of an entry's: plug-ins and data, not their commands.
    fn siblings(&mut self) -> Result<(), Error> {
        if self.request.companions == Companions::None {
            return Ok(());
        }
        let Some(database) = self.database()? else { return Ok(()) };
        let entries: Vec<RootPath> = self.closure.entries.iter().map(|entry| entry.real.clone()).collect();
        for (entry, owner) in database.owners(&entries)? {
            let mut open = database.siblings(&owner);
            let mut seen = BTreeSet::from([owner.clone()]);
            while let Some(package) = open.pop() {
                if !seen.insert(package.clone()) {
                    continue;
                }
                open.extend(database.siblings(&package));
                let contents = database.contents(&package)?;
                for path in contents.iter().filter(|path| !is_command(path) && is_piece(path, &owner)) {
                    self.companion(&entry, &package, path)?;
                }
            }
            let contents = database.contents(&owner)?;
            self.settings_of_kin(&entry, &owner, &contents)?;
            self.named_commands(&entry, &owner, &contents)?;
        }
        Ok(())
    }

    /// Adds what else the packages of some files brought.
    pub(super) fn companions_of(&mut self, asking: &[RootPath]) -> Result<(), Error> {
        if self.request.companions == Companions::None {
            return Ok(());
        }
        let Some(database) = self.database()? else { return Ok(()) };
        let owners = database.owners(asking)?;
        let mut seen = BTreeSet::new();
        for object in asking {
            let Some(owner) = owners.get(object) else { continue };
            let packages = database.halves(owner).into_iter().chain([owner.clone()]);
            let new: Vec<String> = packages.filter(|package| seen.insert(package.clone())).collect();
            self.hosted_by(Some(object), |build| {
                new.iter().try_for_each(|package| build.companions_from(package, object))
            })?;
        }
        Ok(())
    }

    fn companions_from(&mut self, package: &str, object: &RootPath) -> Result<(), Error> {
        let Some(database) = self.database()? else { return Ok(()) };
        let contents = database.contents(package)?;
        for path in &contents {
            self.companion(object, package, path)?;
        }
        self.private_dirs(object, package, &contents)
    }

    /// Directories of a package's own, such as that of its plug-ins, settings or data: what was made in them when it was
    /// installed, or by the user since, belongs to it too, though no list of files has it.
    fn private_dirs(&mut self, object: &RootPath, package: &str, contents: &[RootPath]) -> Result<(), Error> {
        for dir in contents {
            let is_plugins = dir.parent().is_some_and(|parent| is_library_dir(&parent)) && !is_library_dir(dir);
            if !is_plugins && !is_own(dir, package) {
                continue;
            }
            let Some(real) = self.root.follow(dir.as_bytes())?.dir().cloned() else { continue };
            let below = self.root.below(&real)?;
            let theirs = if is_plugins { BTreeMap::new() } else { self.of_others(package, &below)? };
            for path in below.iter().filter(|path| !theirs.contains_key(*path)) {
                // What not everybody may read is a key or a password more often than not; of directories only empty ones come.
                let is_open = self.root.meta(path)?.is_some_and(|meta| meta.kind == FileKind::Dir || meta.is_for_all());
                if is_plugins || is_open {
                    self.companion(object, package, path)?;
                }
            }
        }
        Ok(())
    }

    /// Settings that packages of the same source brought into a directory of /etc that the entry's own package has:
    /// it reads what its plug-ins put there.
    fn settings_of_kin(&mut self, entry: &RootPath, package: &str, contents: &[RootPath]) -> Result<(), Error> {
        let Some(database) = self.database()? else { return Ok(()) };
        let is_settings = |dir: &&RootPath| dir.parent().is_some_and(|parent| parent.as_bytes() == b"/etc");
        let mut below = Vec::new();
        for dir in contents.iter().filter(is_settings).filter(|dir| !is_own(dir, package) && !lies_in(dir, NOT_RUN)) {
            below.extend(self.root.below(dir)?);
        }
        if below.is_empty() {
            return Ok(());
        }
        for (path, other) in database.owners(&below)? {
            if other != package && database.is_kin(package, &other) {
                self.companion(entry, &other, &path)?;
            }
        }
        Ok(())
    }

    /// Files that packages of other sources brought: a directory with the name of one package may be everybody's.
    fn of_others(&self, package: &str, paths: &[RootPath]) -> Result<BTreeMap<RootPath, String>, Error> {
        let Some(database) = self.database()? else { return Ok(BTreeMap::new()) };
        let mut owners = database.owners(paths)?;
        owners.retain(|_, owner| !database.is_kin(package, owner));
        Ok(owners)
    }

    /// A file of a package that is asked for as such: all but what nothing reads at run time.
    pub(super) fn packaged(&mut self, package: &str, path: &RootPath) -> Result<(), Error> {
        let is_out = lies_in(path, NOT_RUN)
            || is_add_on(path, package)
            || NOT_RUN_ENDS.iter().any(|end| path.name().ends_with(end))
            || self.request.exclude.iter().any(|glob| glob.covers(path));
        if is_out { Ok(()) } else { self.bring(None, package, path) }
    }

    pub(super) fn companion(&mut self, entry: &RootPath, package: &str, path: &RootPath) -> Result<(), Error> {
        // A library beside others is there for whoever needs it; what a profile knows is left to the profile.
        let is_public = path.parent().is_some_and(|parent| is_library_dir(&parent));
        let is_out = lies_in(path, NOT_RUN)
            || is_add_on(path, package)
            || lies_in(path, COMMANDS)
            || is_public
            || self.closure.homes.iter().any(|home| path.is_within(home))
            || self.is_known_to_a_profile(path)
            || NOT_RUN_ENDS.iter().any(|end| path.name().ends_with(end))
            || self.request.exclude.iter().any(|glob| glob.covers(path));
        if is_out { Ok(()) } else { self.bring(Some(entry), package, path) }
    }

    fn bring(&mut self, entry: Option<&RootPath>, package: &str, path: &RootPath) -> Result<(), Error> {
        let reason = Reason::Companion { package: package.to_owned() };
        let followed = self.root.follow(path.as_bytes())?;
        match followed.found().map(|(real, meta)| (real.clone(), meta.kind)) {
            // Directories come with what lies in them; empty ones, which the program lists or the user fills, and those of
            // /var, which the program fills, come in any case.
            Some((real, FileKind::Dir)) if !path.is_within(&var()) && !self.root.list(&real)?.is_empty() => Ok(()),
            Some((real, kind)) => {
                let is_new = !self.closure.nodes.contains_key(&real);
                self.closure.take(self.root, entry, &RootPath::root(), path.as_bytes(), reason)?;
                if !is_new || kind != FileKind::File {
                    return Ok(());
                }
                self.elf_file(&real)?;
                entry.map_or(Ok(()), |object| self.companion_script(object, package, &real))
            }
            None => {
                // A link whose target the user made elsewhere, or a file that was deleted after it was installed.
                if let Some(hop) = followed.hops.last()
                    && let Some(meta) = self.root.meta(&hop.link)?
                {
                    self.closure.add(entry.cloned(), hop.link.clone(), NodeKind::Link(meta, hop.text.clone()), reason);
                }
                Ok(())
            }
        }
    }
}

impl Build<'_> {
    pub(super) fn is_known_to_a_profile(&self, path: &RootPath) -> bool {
        self.request.known.iter().flat_map(Profile::places).any(|glob| glob.covers(path))
    }
}

/// Whether a package puts a path there for another program: packages of the program itself begin with its name.
fn is_add_on(path: &RootPath, package: &str) -> bool {
    let place = ADD_ONS.iter().find(|dir| lies_in(path, &[**dir]));
    place.and_then(|dir| dir.rsplit('/').next()).is_some_and(|program| !package.starts_with(program))
}

/// Whether a path is one of these directories or lies below.
pub(super) fn lies_in(path: &RootPath, dirs: &[&str]) -> bool {
    let rest = dirs.iter().filter_map(|dir| path.as_bytes().strip_prefix(dir.as_bytes()));
    rest.into_iter().any(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Whether a path lies in a directory of commands, private ones too: those of another package are its own business.
fn is_command(path: &RootPath) -> bool {
    path.parent().is_some_and(|dir| matches!(dir.name(), b"bin" | b"sbin"))
}

/// Whether a directory holds settings or data of a package's program: /etc/NAME or /usr/share/NAME of a package whose
/// name begins so.
fn is_own(dir: &RootPath, package: &str) -> bool {
    let is_there = dir.parent().is_some_and(|parent| matches!(parent.as_bytes(), b"/etc" | b"/usr/share"));
    is_there && package.as_bytes().starts_with(dir.name())
}

/// Whether a path lies in a directory of a program's own: NAME, where directories of programs lie side by side, of a
/// package whose name begins so, or that NAME begins with. A library for some language that was built from the same
/// source lies elsewhere, and so does a hook of another program's.
pub(super) fn is_piece(path: &RootPath, package: &str) -> bool {
    const BESIDE: [&[u8]; 7] =
        [b"/etc", b"/usr/share", b"/usr/libexec", b"/var/cache", b"/var/lib", b"/var/log", b"/var/spool"];
    path.ancestors().iter().chain([path]).any(|dir| {
        let parent = dir.parent().filter(|parent| BESIDE.contains(&parent.as_bytes()) || is_library_dir(parent));
        let (name, package) = (dir.name(), package.as_bytes());
        parent.is_some() && (package.starts_with(name) || name.starts_with(package))
    })
}

/// Whether libraries of all kinds lie side by side in a directory: /usr/lib, or a directory of one machine in it.
pub(super) fn is_library_dir(dir: &RootPath) -> bool {
    let text = dir.as_bytes().strip_prefix(b"/usr").unwrap_or(dir.as_bytes());
    let mut parts = text.split(|b| *b == b'/').filter(|part| !part.is_empty());
    let is_lib = parts.next().is_some_and(|part| part == b"lib" || part == b"lib64" || part == b"lib32");
    // A multiarch directory has a name such as x86_64-linux-gnu.
    is_lib && parts.next().is_none_or(|part| memchr::memmem::find(part, b"-linux-").is_some()) && parts.next().is_none()
}

fn var() -> RootPath {
    RootPath::root().join(b"var")
}
