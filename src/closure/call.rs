//! How an entry is called, and what its language says that such a call needs.

use super::build::{Build, Chain};
use super::{EntryPoint, Reason};
use crate::error::Error;
use crate::language::{self, Call, Command, Home};
use crate::loader::Family;
use crate::path::{RootPath, show};
use crate::root::FileKind;

/// Calls that start each other: a wrapper, the command after it, and so on.
const MAX_DEPTH: usize = 8;

impl Build<'_> {
    /// Adds an entry with what its call needs.
    pub(super) fn entry(&mut self, asked: &str, args: &[String], reason: Reason) -> Result<(), Error> {
        let cwd = self.conditions.cwd.clone();
        let replaced = match language::replaced(self.root, asked, args, &cwd)? {
            Some(found) if !self.request.processes_only => {
                let before =
                    std::iter::once(asked).chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
                self.closure
                    .notes
                    .push(format!("`{before}` is replaced by what it starts: `{}`", found.words.join(" ")));
                for (name, value) in found.env {
                    self.closure.env.entry(name).or_insert(value);
                }
                Some(found.words)
            }
            _ => None,
        };
        let (asked, args) = match &replaced {
            Some(words) => (words[0].as_str(), &words[1..]),
            None => (asked, args),
        };
        let path = self.find_program(asked.as_bytes())?;
        self.call(None, &path, args, reason, 0)?;
        let followed = self.root.follow(path.as_bytes())?;
        let real = followed.file().map_or_else(|| path.clone(), |(real, _)| real.clone());
        self.closure.entries.push(EntryPoint { asked: asked.to_owned(), args: args.to_vec(), path, real });
        Ok(())
    }

    fn call(
        &mut self,
        from: Option<&RootPath>,
        path: &RootPath,
        args: &[String],
        reason: Reason,
        depth: usize,
    ) -> Result<(), Error> {
        let mut chain = Chain::default();
        let first = self.closure.processes.len();
        self.program(from, path, reason, &mut chain)?;
        if self.request.processes_only || depth > MAX_DEPTH {
            return Ok(());
        }
        let processes = &self.closure.processes[first..];
        let loaded = processes.iter().flat_map(|started| &started.process.loaded);
        let known = self.closure.processes.iter().find(|started| started.required);
        let mut env = self.closure.env.clone();
        env.extend(self.request.env.clone());
        let call = Call {
            root: self.root,
            scripts: chain.scripts,
            programs: chain.programs,
            args,
            cwd: &self.conditions.cwd.clone(),
            env: &env,
            path: self.request.path(),
            sonames: loaded.filter_map(|object| object.elf.soname.clone()).collect(),
            target: known.map(|started| started.process.loaded[0].elf.target),
            is_musl: known
                .and_then(|started| started.process.facts.as_ref())
                .is_some_and(|facts| facts.family == Family::Musl),
        };
        let needs = language::needs(&call)?;
        let entry = self.root.follow(path.as_bytes())?.file().map_or_else(|| path.clone(), |(real, _)| real.clone());
        for (file, why) in needs.files {
            let reason = Reason::Home { group: "arguments", why };
            let taken = self.closure.take(self.root, Some(&entry), &RootPath::root(), file.as_bytes(), reason)?;
            if let Some(real) = taken
                && self.root.meta(&real)?.is_some_and(|meta| meta.kind == FileKind::File)
            {
                self.elf_file(&real)?;
            }
        }
        self.closure.wanted.extend(needs.profiles);
        self.closure.notes.extend(needs.notes);
        self.closure.homes.extend(needs.homes.iter().map(|home| home.dir.clone()));
        for home in &needs.homes {
            self.home(home)?;
        }
        for command in needs.commands {
            self.command(&entry, &command, depth)?;
        }
        for words in needs.calls {
            let why = format!("{path} goes on to start it");
            match self.find_program(words[0].as_bytes()) {
                Ok(found) => self.call(Some(&entry), &found, &words[1..], Reason::Command { why }, depth + 1)?,
                Err(error) => self.closure.notes.push(format!("{path} would start {}: {error}", words[0])),
            }
        }
        Ok(())
    }

    /// A directory of a call, less what it does without.
    fn home(&mut self, home: &Home) -> Result<(), Error> {
        let root = self.root;
        let reason = Reason::Home { group: home.group, why: home.why.clone() };
        self.whole(&home.dir, &reason, &|path| (home.without)(root, path), true)
    }

    /// A program that a call starts. One that cannot be started is told, not an error: a word may mean something else.
    fn command(&mut self, from: &RootPath, command: &Command, depth: usize) -> Result<(), Error> {
        let found = match self.find_program(command.name.as_bytes()) {
            Ok(found) => found,
            Err(_) => {
                self.closure.notes.push(format!("{} is not in the root: {}", command.name, command.why));
                return Ok(());
            }
        };
        if !self.closure.commands.insert(found.clone()) {
            return Ok(());
        }
        let reason = Reason::Command { why: command.why.clone() };
        self.depth += 1;
        let called = self.call(Some(from), &found, &[], reason, depth + 1);
        self.depth -= 1;
        match called {
            Err(error)
                if matches!(
                    error.code,
                    "interpreter-missing" | "bad-shebang" | "shebang-cr" | "not-elf" | "bad-elf"
                ) =>
            {
                self.closure.notes.push(format!("{} cannot be started: {error}", show(found.as_bytes())));
                Ok(())
            }
            other => other,
        }
    }
}
