//! Commands of the shell itself, and the files that it runs by them.

use super::{Line, Reader};
use crate::error::Error;
use crate::language::shell::table::table;
use crate::language::shell::tree::{Part, Simple, Word};
use crate::language::shell::{MAX_SCRIPT, MAX_SCRIPTS};
use crate::language::source::alike::Partial;
use crate::language::{Start, is_wide};
use crate::path::RootPath;
use crate::root::RootGlob;
use crate::world::program_in_path as program;
use crate::world::tables::system;

/// Maximum number of files that a glob matches.
const MAX_MATCHES: usize = 256;

impl Reader<'_, '_> {
    pub(super) fn builtin(&mut self, name: &str, args: &[String], line: &Line<'_>) -> Result<(), Error> {
        let plain = |args: &[String]| args.iter().find(|word| !word.starts_with('-')).cloned();
        match name {
            "cd" | "chdir" | "pushd" => {
                if let Some(dir) = plain(args).filter(|dir| !dir.is_empty())
                    && let Some(dir) = self.call.root.follow_from(&self.cwd, dir.as_bytes())?.dir()
                {
                    // The directory may be empty, in which case nothing else would pack it.
                    self.needs.files.push((dir.clone(), format!("{} changes to it", self.script)));
                    self.cwd = dir.clone();
                    self.listed_data(&[self.cwd.to_string()], line.simple.line)?;
                }
                Ok(())
            }
            "." | "source" => args.first().map_or(Ok(()), |file| self.source(file)),
            "eval" => self.text(&args.join(" "), line.simple.line - 1),
            "trap" => match args.iter().find(|word| *word != "--") {
                Some(text) if args.len() > 1 && text != "-" => self.text(text, line.simple.line - 1),
                _ => Ok(()),
            },
            "set" => {
                let is_all = |word: &String| word == "allexport" || word.starts_with('-') && word.contains('a');
                self.exports_all |= args.iter().take_while(|word| *word != "--").any(is_all);
                if let Some(at) = args.iter().position(|word| word == "--")
                    && line.simple.function.is_none()
                {
                    self.known.add_list("@", args[at + 1..].to_vec());
                    if let Some(first) = args.get(at + 1) {
                        self.known.add("1", Some(first.clone()));
                    }
                }
                Ok(())
            }
            "shift" if line.simple.function.is_none() => {
                // We do not know how often `shift` runs; in a loop, it may consume all arguments.
                let lists = self.known.lists("@").to_vec();
                for list in &lists {
                    for at in 1..list.len() {
                        self.known.add_list("@", list[at..].to_vec());
                    }
                }
                Ok(())
            }
            "read" | "mapfile" | "readarray" | "getopts" => {
                let listed = if table().reads.contain(name) { std::mem::take(&mut self.listed) } else { Vec::new() };
                for name in args.iter().filter(|word| !word.starts_with('-')) {
                    for path in &listed {
                        self.known.add(name, Some(path.clone()));
                    }
                    self.known.add(name, None);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Directories of the system that a command lists, or in which the script works: their contents are its data.
    pub(super) fn listed_data(&mut self, args: &[String], line: usize) -> Result<(), Error> {
        for word in args.iter().filter(|word| word.starts_with('/')) {
            let is_dir = self.call.dir(word)?.is_some_and(|dir| system().system.cover(&dir));
            if is_dir {
                self.needs.data.push((word.clone(), format!("{} lists it in line {line}", self.script)));
            }
        }
        Ok(())
    }

    /// A command that is not known: programs that the known parts of its name fit, or a report.
    pub(super) fn alike(&mut self, word: &Word, line: usize, unknown: String) -> Result<(), Error> {
        let mut texts = vec![String::new()];
        for part in &word.parts {
            let values = self.known.values(&Word { parts: vec![part.clone()], is_quoted: true });
            match (values.known.as_slice(), texts.last_mut()) {
                ([text], Some(last)) if values.unknown.is_none() => last.push_str(text),
                _ => texts.push(String::new()),
            }
        }
        let why = format!("{} starts it in line {line}", self.script);
        // Two computed parts leave too much open.
        let is_found = match texts.as_slice() {
            [before, after] => {
                Partial::new(before, after).map_or(Ok(false), |name| name.ask(self.call, &why, &mut self.needs))?
            }
            _ => false,
        };
        if !is_found {
            self.unresolved(line, unknown, false, None);
        }
        Ok(())
    }

    /// Keeps the files over which `find DIR | sort | while read name` iterates; a command that is not a filter ends
    /// this.
    pub(super) fn search(&mut self, simple: &Simple) {
        let Some([Part::Text(name)]) = simple.words.first().map(|word| word.parts.as_slice()) else { return };
        let known = table();
        if known.output_search.contain(name) {
            self.listed = self.known.found(simple);
        } else if !known.output_filters.contain(name) && !known.reads.contain(name) {
            self.listed.clear();
        }
    }

    /// The word, if it is a glob below a directory of an application; a variable of unknown value counts as `*`.
    pub(super) fn loose_pattern(&self, word: &Word) -> Option<String> {
        let is_glob = |part: &Part| matches!(part, Part::Text(text) | Part::Other(text) if text.contains('*'));
        let [Part::Text(first), ..] = word.parts.as_slice() else { return None };
        let dir = RootPath::new(first.rsplit_once('/')?.0)?;
        if !word.parts.iter().any(is_glob) || is_wide(&dir) || system().system.cover(&dir) {
            return None;
        }
        let texts = word.parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Other(text) if !text.contains('$') => text.clone(),
            // A number is an argument of the function, if the loop is in one.
            Part::Variable(name, _) if !name.starts_with(|c: char| c.is_ascii_digit()) => {
                self.known.last(name).unwrap_or_else(|| "*".to_owned())
            }
            _ => "*".to_owned(),
        });
        Some(texts.collect())
    }

    pub(super) fn matches(&mut self, pattern: &str) -> Result<Vec<RootPath>, Error> {
        let Ok(glob) = RootGlob::new(pattern) else { return Ok(Vec::new()) };
        let mut found = self.call.root.matching(&glob)?;
        if found.len() > MAX_MATCHES {
            self.needs.cut(format!(
                "{} names {pattern}, which matches {} files: those after the first {MAX_MATCHES} were ignored; \
                 --include '{pattern}' adds them",
                self.script,
                found.len()
            ));
            found.truncate(MAX_MATCHES);
        }
        Ok(found)
    }

    /// Interprets a sourced file, if the root has it.
    pub(super) fn source(&mut self, file: &str) -> Result<(), Error> {
        let mut followed = self.call.root.follow_from(&self.cwd, file.as_bytes())?;
        if !file.is_empty() && !file.contains('/') && followed.file().is_none() {
            // A bare name is looked up in PATH, even if it is not executable (POSIX, `dot`). The script's own directory
            // is searched too, because it is often added to PATH by the caller.
            let beside = self.script.parent();
            for dir in self.path.split(':').filter_map(RootPath::new).chain(beside) {
                let found = self.call.root.follow(dir.join(file.as_bytes()).as_bytes())?;
                if found.file().is_some() {
                    followed = found;
                    break;
                }
            }
        }
        let Some(real) = followed.file().map(|(real, _)| real.clone()) else {
            if self.is_whole && !file.is_empty() && !self.tested.contains(file) {
                self.needs.notes.push(format!("{} sources {file}, which is not in the root", self.script));
            }
            return Ok(());
        };
        if self.sourced.contains(&real) {
            return Ok(());
        }
        self.needs.files.push((real.clone(), format!("{} sources it", self.script)));
        if self.sourced.len() >= MAX_SCRIPTS {
            self.needs.cut(format!(
                "{} sources {real} after {MAX_SCRIPTS} other files: it is packed, but programs that it starts were not \
                 found; --bin adds a program",
                self.script
            ));
            return Ok(());
        }
        self.sourced.insert(real.clone());
        let text = self.call.root.read(&real, MAX_SCRIPT)?;
        let script = std::mem::replace(&mut self.script, real);
        self.known.set("BASH_SOURCE", self.script.to_string());
        self.text(&String::from_utf8_lossy(&text), 0)?;
        self.script = script;
        self.known.set("BASH_SOURCE", self.script.to_string());
        Ok(())
    }

    /// Files matched by a glob argument, such as scripts in a start-up directory. System directories are skipped,
    /// because other rules own them.
    pub(super) fn handed(&mut self, pattern: &str, line: usize) -> Result<(), Error> {
        for path in self.matches(pattern)?.into_iter().filter(|path| !system().system.cover(path)) {
            let why = format!("{} uses {pattern} in line {line}", self.script);
            self.needs.files.push((path.clone(), why.clone()));
            if program(self.call.root, &self.path, &path.to_string())?.is_some() {
                let words = vec![path.to_string()];
                self.start(Start { is_exec: false, ..Start::of(self.call, words, why) });
            } else if path.name().ends_with(b".sh") {
                self.source(&path.to_string())?;
            }
        }
        Ok(())
    }
}
