//! How an entry is called, and what its language says that such a call needs.

use super::build::{Build, Chain};
use super::clues::Sign;
use super::open::Opened;
use super::{EntryPoint, Reason};
use crate::error::Error;
use crate::language::{self, Absent, Call, Command, Home, Library, Start};
use crate::loader::Family;
use crate::path::{RootPath, show};
use crate::root::FileKind;

/// The group of directories that belong to an application.
const APPLICATION: &str = "application";
/// Calls that start each other: a wrapper, the command after it, and so on.
const MAX_DEPTH: usize = 8;
/// Most commands, each with its words, that are followed for one image.
const MAX_STARTED: usize = 1024;

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
        env.extend(self.env.clone());
        let path_list = self.path().to_owned();
        let call = Call {
            root: self.root,
            scripts: chain.scripts,
            programs: chain.programs,
            args,
            cwd: &self.conditions.cwd.clone(),
            env: &env,
            path: &path_list,
            sonames: loaded.filter_map(|object| object.elf.soname.clone()).collect(),
            target: known.map(|started| started.process.loaded[0].elf.target),
            is_musl: known
                .and_then(|started| started.process.facts.as_ref())
                .is_some_and(|facts| facts.family == Family::Musl),
        };
        let needs = language::needs(&call)?;
        let real =
            |path: &RootPath| Ok::<_, Error>(self.root.follow(path.as_bytes())?.file().map(|(real, _)| real.clone()));
        let entry = real(path)?.unwrap_or_else(|| path.clone());
        // Modules and add-ons are opened in the process of the program that reads the script.
        let program = call.programs.last().map(real).transpose()?.flatten();
        if let Some(program) = call.programs.last() {
            for library in &needs.libraries {
                self.library(program, library)?;
            }
        }
        for (profile, says) in needs.profiles {
            self.closure.wanted.entry(profile).or_insert(Sign { says, object: program.clone() });
        }
        // What a script that itself is only likely to run says of absent programs is not for the user's ears.
        if self.is_sure {
            self.closure.notes.extend(needs.notes);
            self.closure.unstarted.extend(needs.unstarted);
            // Which lines of a script are reached depends on the run.
            let absent = needs.absent.into_iter();
            self.closure.absent.extend(absent.map(|one| Absent { is_certain: one.is_certain && depth == 0, ..one }));
        }
        let mut paths = needs.paths;
        paths.extend(needs.files.into_iter().map(|(path, why)| (path.as_bytes().to_vec(), why)));
        self.hosted_by(program.as_ref(), |build| build.belongings(&entry, paths, needs.homes))?;
        for start in needs.starts {
            self.started(&entry, start, depth)?;
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

    /// Files and directories that belong to a call.
    fn belongings(&mut self, entry: &RootPath, paths: Vec<(Vec<u8>, String)>, homes: Vec<Home>) -> Result<(), Error> {
        for (path, why) in paths {
            let reason = Reason::Home { group: "arguments", why };
            let taken = self.closure.take(self.root, Some(entry), &RootPath::root(), &path, reason)?;
            if let Some(real) = taken
                && self.root.meta(&real)?.is_some_and(|meta| meta.kind == FileKind::File)
            {
                self.elf_file(&real)?;
            }
        }
        // What somebody else's rules have taken, a program that it starts does not take anew without them.
        let is_known = |home: &Home| self.is_kin && home.group == APPLICATION || self.closure.homes.contains(&home.dir);
        let is_new = |home: &Home| self.depth == 0 || !is_known(home);
        let homes: Vec<Home> = homes.into_iter().filter(is_new).collect();
        self.closure.homes.extend(homes.iter().map(|home| home.dir.clone()));
        homes.iter().try_for_each(|home| self.home(home))
    }

    /// A library that is opened by name in the process of a program: of its names the first that is found.
    fn library(&mut self, program: &RootPath, library: &Library) -> Result<(), Error> {
        let host = self.closure.processes.iter().find(|started| started.process.loaded[0].path == program.as_bytes());
        let Some(host) = host.map(|started| started.process.clone()) else { return Ok(()) };
        for name in &library.names {
            let reason = Reason::Home { group: "libraries opened by name", why: library.why.clone() };
            if !matches!(self.open(&host, name.as_bytes(), Some(program), reason)?, Opened::Absent) {
                return Ok(());
            }
        }
        if library.is_wanted {
            let name = library.names.last().map_or("", String::as_str);
            self.closure.notes.push(format!("{name} is not in the root: {}", library.why));
        }
        Ok(())
    }

    /// A directory of a call, less what it does without.
    fn home(&mut self, home: &Home) -> Result<(), Error> {
        let root = self.root;
        let reason = match self.request.stand_ins.get(&home.dir) {
            Some(why) => Reason::Made { group: home.group, why: why.clone() },
            None => Reason::Home { group: home.group, why: home.why.clone() },
        };
        self.whole(&home.dir, &reason, &|path| (home.without)(root, path), true)
    }

    /// A program that a call starts. One that cannot be started is told, not an error: a word may mean something else.
    pub(super) fn command(&mut self, from: &RootPath, command: &Command, depth: usize) -> Result<(), Error> {
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
        let was_sure = std::mem::replace(&mut self.is_sure, false);
        self.depth += 1;
        let called = self.call(Some(from), &found, &[], reason, depth + 1);
        self.depth -= 1;
        self.is_sure = was_sure;
        self.told(&found, called)
    }

    /// A program that a call starts with words of its own, each once.
    fn started(&mut self, from: &RootPath, start: Start, depth: usize) -> Result<(), Error> {
        let key = (start.cwd.clone(), start.words.clone());
        if self.started.len() >= MAX_STARTED || !self.started.insert(key) {
            return Ok(());
        }
        let cwd = std::mem::replace(&mut self.conditions.cwd, start.cwd);
        let env = std::mem::replace(&mut self.env, start.env);
        let was_sure = self.is_sure;
        self.is_sure &= start.is_sure;
        let called = match self.find_program(start.words[0].as_bytes()) {
            Ok(found) => {
                self.closure.commands.insert(found.clone());
                let reason = Reason::Command { why: start.why };
                self.depth += usize::from(!start.is_exec);
                let called = self.call(Some(from), &found, &start.words[1..], reason, depth + 1);
                self.depth -= usize::from(!start.is_exec);
                self.told(&found, called)
            }
            Err(_) => Ok(()),
        };
        (self.conditions.cwd, self.env, self.is_sure) = (cwd, env, was_sure);
        called
    }

    /// A program that cannot be started is told, not an error, where its start is not sure.
    fn told(&mut self, found: &RootPath, called: Result<(), Error>) -> Result<(), Error> {
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
