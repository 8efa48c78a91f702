//! Programs of a package that its own program starts: scripts among its files, and commands that it names. Evidence is
//! that it imports what starts programs, and holds the name, or that data of the package do.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::companions::{COMMANDS, is_piece, lies_in};
use super::strings::texts_in;
use crate::error::Error;
use crate::language::Command;
use crate::path::{RootPath, show};
use crate::root::FileKind;

/// What a program imports that starts others (execve(2), posix_spawn(3), system(3), popen(3), GLib).
const STARTERS: [&[u8]; 14] = [
    b"execl",
    b"execle",
    b"execlp",
    b"execv",
    b"execve",
    b"execveat",
    b"execvp",
    b"execvpe",
    b"fexecve",
    b"popen",
    b"posix_spawn",
    b"posix_spawnp",
    b"system",
    b"g_spawn_async",
];
/// Where packages put programs that only programs run.
const PROGRAMS_FOR_PROGRAMS: &[&str] = &["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/libexec"];
/// Largest file of data that is searched for names, and bytes of data in all.
const MAX_DATA: u64 = 64 << 10;
const MAX_ALL_DATA: u64 = 4 << 20;

impl Build<'_> {
    /// Whether an object imports what starts programs.
    pub(super) fn starts_programs(&mut self, real: &RootPath) -> Result<bool, Error> {
        if let Some(known) = self.starters.get(real) {
            return Ok(*known);
        }
        let starts = self.objects.imports(real)?.iter().any(|name| STARTERS.contains(&name.as_slice()));
        self.starters.insert(real.clone(), starts);
        Ok(starts)
    }

    /// A script that a package brought with an object that starts programs needs what reads it, if it lies in a directory of
    /// the package's own where programs for programs lie (FHS 3.0, 4.6 and 4.7): elsewhere scripts are examples, hooks of
    /// others, or for administrators.
    pub(super) fn companion_script(&mut self, object: &RootPath, package: &str, real: &RootPath) -> Result<(), Error> {
        const ANYBODYS_TO_RUN: u32 = 0o111;
        if !lies_in(real, PROGRAMS_FOR_PROGRAMS) || !is_piece(real, package) {
            return Ok(());
        }
        let is_executable = self.root.meta(real)?.is_some_and(|meta| meta.mode & ANYBODYS_TO_RUN != 0);
        if !is_executable || self.root.read(real, 2)? != b"#!" || !self.starts_programs(object)? {
            return Ok(());
        }
        let dir = real.parent().unwrap_or_else(RootPath::root);
        if !self.holds(object, dir.as_bytes())? && !self.holds(object, real.name())? {
            return Ok(());
        }
        let why = format!("{object} names {dir}, where the package {package} put it, and starts programs");
        self.is_kin = true;
        let added = self.command(object, &Command { name: real.to_string(), why }, 0);
        self.is_kin = false;
        added
    }

    /// Whether a text stands in an object.
    fn holds(&mut self, object: &RootPath, text: &[u8]) -> Result<bool, Error> {
        let key = (object.clone(), text.to_vec());
        if let Some(known) = self.held.get(&key) {
            return Ok(*known);
        }
        let holds = !texts_in(self.root, object, &[text])?.is_empty();
        self.held.insert(key, holds);
        Ok(holds)
    }

    pub(super) fn is_elf(&self, path: &RootPath) -> Result<bool, Error> {
        let read = self.root.read_followed(path.as_bytes(), 4)?;
        Ok(read.is_some_and(|(_, head)| head == b"\x7fELF"))
    }

    /// Commands of the entry's package that the entry names, or that data of the package name.
    pub(super) fn named_commands(
        &mut self,
        entry: &RootPath,
        package: &str,
        contents: &[RootPath],
    ) -> Result<(), Error> {
        if !self.starts_programs(entry)? {
            return Ok(());
        }
        let is_other = |path: &&RootPath| lies_in(path, COMMANDS) && path.name() != entry.name();
        let mut commands: BTreeMap<&[u8], &RootPath> =
            contents.iter().filter(is_other).map(|path| (path.name(), path)).collect();
        commands.retain(|_, path| self.root.follow(path.as_bytes()).is_ok_and(|followed| followed.file().is_some()));
        if commands.is_empty() {
            return Ok(());
        }
        let names: Vec<&[u8]> = commands.keys().copied().collect();
        let strings: Vec<Vec<u8>> = names.iter().map(|name| [b"\0", *name, b"\0"].concat()).collect();
        let held = texts_in(self.root, entry, &strings)?;
        let mut named: BTreeMap<&[u8], RootPath> = held.into_iter().map(|at| (names[at], entry.clone())).collect();
        let mut left = MAX_ALL_DATA;
        for path in contents.iter().filter(|path| !lies_in(path, COMMANDS)) {
            let Some((real, meta)) =
                self.root.follow(path.as_bytes())?.found().map(|(real, meta)| (real.clone(), *meta))
            else {
                continue;
            };
            if meta.kind != FileKind::File || meta.size > MAX_DATA.min(left) || !self.closure.nodes.contains_key(&real)
            {
                continue;
            }
            left -= meta.size;
            let text = self.root.read(&real, usize::try_from(meta.size).unwrap_or(0))?;
            let words: BTreeSet<&[u8]> = text.split(u8::is_ascii_whitespace).collect();
            for (name, command) in commands.iter().filter(|(name, _)| words.contains(**name)) {
                // A word of data may mean anything; a script that it brought might bring a whole language.
                if !named.contains_key(name) && self.is_elf(command)? {
                    named.insert(name, real.clone());
                }
            }
        }
        for (name, by) in named {
            let why = format!("{by} names {}, which is in the same package {package}", show(name));
            self.command(entry, &Command { name: commands[name].to_string(), why }, 0)?;
        }
        Ok(())
    }
}
