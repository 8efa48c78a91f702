//! Commands of the shell itself, and the files that it runs by them.

use super::{Line, Reader};
use crate::config::after;
use crate::error::Error;
use crate::language::shell::table::table;
use crate::language::shell::tree::{Input, Part, Simple, Word};
use crate::language::shell::{MAX_SCRIPT, MAX_SCRIPTS};
use crate::language::source::alike::Partial;
use crate::language::source::interpreters::{file_as_argument, text_as_arguments};
use crate::language::source::wrapped::client;
use crate::language::{Start, is_wide};
use crate::path::RootPath;
use crate::root::RootGlob;
use crate::world::program_in_path as program;
use crate::world::tables::system;

/// Maximum number of files that a glob matches, and of patterns that a word may be.
const MAX_MATCHES: usize = 256;
const MAX_PATTERNS: usize = 16;

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
            "getopts" => {
                // The value of an option is a word of the script's own arguments, or the rest of one.
                for word in self.known.lists("@").first().cloned().unwrap_or_default() {
                    let rest = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
                    let value = rest.map_or(word.as_str(), |rest| rest.get(1..).unwrap_or_default());
                    if !value.is_empty() {
                        self.known.add("OPTARG", Some(value.to_owned()));
                    }
                }
                args.iter().skip(1).for_each(|name| self.known.add(name, None));
                Ok(())
            }
            "read" | "mapfile" | "readarray" => {
                let listed = std::mem::take(&mut self.listed);
                let names: Vec<&String> = args.iter().filter(|word| !word.starts_with('-')).collect();
                for (nth, name) in names.iter().enumerate() {
                    for line in &listed {
                        // The last variable gets the rest of the line.
                        let field = match nth + 1 == names.len() {
                            true => after(line, nth),
                            false => line.split_whitespace().nth(nth).unwrap_or_default(),
                        };
                        if !field.is_empty() {
                            self.known.add(name, Some(field.to_owned()));
                        }
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

    /// Keeps the lines that a loop reads from a file of the root or from the script itself.
    pub(super) fn input(&mut self, word: &Word) -> Result<(), Error> {
        let text = match self.known.one(word) {
            text if text.starts_with('\n') => text,
            path => {
                let followed = self.call.root.follow_from(&self.cwd, path.as_bytes())?;
                let Some((real, _)) = followed.file().filter(|_| !path.is_empty()) else { return Ok(()) };
                self.needs.files.push((real.clone(), format!("{} reads it", self.script)));
                String::from_utf8_lossy(&self.call.root.read(real, MAX_SCRIPT)?).into_owned()
            }
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.listed = lines.take(MAX_MATCHES).map(str::to_owned).collect();
        Ok(())
    }

    /// Source text that an interpreter reads on standard input is the same as text in its arguments.
    pub(super) fn add_input(&self, name: &str, words: &mut Vec<String>, simple: &Simple) {
        let client = client(name.rsplit('/').next().unwrap_or(name));
        let more = match &simple.input {
            Some(Input::File(word)) => {
                let file = self.known.one(word);
                let reads = client.and_then(|client| client.reads.first());
                reads
                    .map(|read| vec![format!("{read} '{file}'")])
                    .or_else(|| file_as_argument(name, &words[1..], &file))
            }
            Some(Input::Text(text)) => {
                client.map(|_| vec![text.clone()]).or_else(|| text_as_arguments(name, &words[1..], text))
            }
            None => None,
        };
        if let Some(more) = more {
            // A word for standard input would be taken for a script.
            words.retain(|word| word != "-");
            words.extend(more);
        }
    }

    /// Keeps the files over which `find DIR | sort | while read name` iterates; a command that is not a filter ends
    /// this.
    pub(super) fn search(&mut self, simple: &Simple) {
        let Some([Part::Text(name)]) = simple.words.first().map(|word| word.parts.as_slice()) else { return };
        let known = table();
        if known.output_search.contain(name) {
            self.listed = self.known.found(simple);
        } else if known.lists.contain(name) {
            self.listed = self.known.names_in(simple);
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

    /// The absolute patterns that a word may be: its text, or with the values of its variables below a directory of an
    /// application.
    pub(super) fn patterns(&self, word: &Word) -> Vec<String> {
        if let Some(pattern) = super::pattern(word) {
            return vec![pattern];
        }
        if !word.parts.iter().any(|part| matches!(part, Part::Other(text) if text.contains('*') && !text.contains('$')))
        {
            return Vec::new();
        }
        let mut found = vec![String::new()];
        for part in &word.parts {
            let texts = match part {
                Part::Text(text) => vec![text.clone()],
                Part::Other(text) if !text.contains('$') => vec![text.clone()],
                // A number is an argument of the function, if the loop is in one.
                Part::Variable(name, _) if name.starts_with(|c: char| c.is_ascii_digit()) => vec!["*".to_owned()],
                part => self.known.values(&Word { parts: vec![part.clone()], is_quoted: true }).known,
            };
            let joined = found.iter().flat_map(|before| texts.iter().map(move |text| format!("{before}{text}")));
            found = joined.take(MAX_PATTERNS).collect();
        }
        let absolute = |text: String| if text.starts_with('/') { text } else { format!("{}/{text}", self.cwd) };
        let is_own = |text: &String| {
            let dir = text.split('*').next().and_then(|text| RootPath::new(text.rsplit_once('/')?.0));
            dir.is_some_and(|dir| !is_wide(&dir) && !system().system.cover(&dir))
        };
        let found: Vec<String> = found.into_iter().map(absolute).filter(is_own).collect();
        if found.is_empty() { self.loose_pattern(word).into_iter().collect() } else { found }
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
