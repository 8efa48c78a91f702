//! Interprets a script step by step. Directories, PATH, variables and functions are tracked. Conditions are not
//! evaluated: every branch counts.

mod assign;
mod builtin;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::table::{is_bash_builtin, is_builtin, table};
use super::tree::{self, Part, Script, Simple, Step, Word};
use super::words::Known;
use crate::error::Error;
use crate::language::source::interpreters::is_interpreter;
use crate::language::source::wrapped;
use crate::language::{Call, Certainty, Needs, Start};
use crate::path::RootPath;
use crate::world::program_in_path as program;
use crate::world::tables::system;

/// Maximum number of programs that one call starts, and maximum nesting of scripts within scripts (`eval`, `trap`,
/// sourced files).
pub(super) const MAX_STARTS: usize = 512;
const MAX_DEPTH: usize = 12;
/// Maximum number of words of a function before the command that it starts, and one.
const MAX_OWN: usize = 4;
/// Maximum number of expansions of one command.
const MAX_LINES: usize = 64;

/// A command of a script that cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnresolvedCommand {
    /// The script that contains the command.
    pub script: RootPath,
    /// The line number.
    pub line: usize,
    /// The command word.
    pub word: String,
    /// True if the word is known but the program is missing; false if the word is a variable of unknown value.
    pub is_missing: bool,
    /// Help for the user, if there is specific advice.
    pub help: Option<String>,
}

/// Interprets the scripts of one call.
pub(super) struct Reader<'c, 'a> {
    call: &'c Call<'a>,
    /// The result.
    pub(super) needs: Needs,
    known: Known<'c>,
    env: BTreeMap<String, String>,
    cwd: RootPath,
    path: String,
    is_dash: bool,
    /// Names of exported variables.
    exported: BTreeSet<String>,
    /// True after `set -a`: every variable is exported.
    exports_all: bool,
    functions: BTreeSet<String>,
    /// Functions that execute their arguments.
    runners: BTreeSet<String>,
    /// Programs and files that the script tests for, so that their absence is handled.
    tested: BTreeSet<String>,
    script: RootPath,
    sourced: BTreeSet<RootPath>,
    /// Output of the last search; a `read` behind a pipe gets it.
    listed: Vec<String>,
    is_whole: bool,
    depth: usize,
}

/// A command being interpreted.
struct Line<'l> {
    simple: &'l Simple,
    /// The command replaces the script.
    is_exec: bool,
    /// Do not report the program if it is missing.
    is_soft: bool,
    /// Never a function or a builtin, as after `command` or `exec`.
    is_program: bool,
    /// One of several candidates, most of which are wrong.
    is_guess: bool,
}

impl<'c, 'a> Reader<'c, 'a> {
    pub(super) fn new(call: &'c Call<'a>, shell: &RootPath) -> Self {
        let machine = call.target.map(|target| crate::elf::machine_name(target.machine));
        let mut known = Known::of(call.root, machine, call.memory);
        known.add("PWD", Some(call.cwd.to_string()));
        for (name, value) in call.env {
            known.add(name, Some(value.clone()));
        }
        Self {
            call,
            needs: Needs::default(),
            known,
            env: call.env.clone(),
            cwd: call.cwd.clone(),
            path: call.path.to_owned(),
            is_dash: table().without_bash_builtins.contain(shell.name()),
            exported: BTreeSet::new(),
            exports_all: false,
            functions: BTreeSet::new(),
            runners: BTreeSet::new(),
            tested: BTreeSet::new(),
            script: shell.clone(),
            sourced: BTreeSet::new(),
            listed: Vec::new(),
            is_whole: true,
            depth: 0,
        }
    }

    /// Interprets the script of the call with these arguments.
    pub(super) fn script(&mut self, script: &RootPath, text: &str, args: &[String]) -> Result<(), Error> {
        self.script = script.clone();
        self.known.add("0", Some(script.to_string()));
        self.known.set("BASH_SOURCE", script.to_string());
        for (at, word) in args.iter().enumerate().take(9) {
            self.known.add(&(at + 1).to_string(), Some(word.clone()));
        }
        if !args.is_empty() {
            self.known.add_list("@", args.to_vec());
        }
        self.text(text, 0)
    }

    /// Interprets a piece of script; `line` is the number of lines before it in the file.
    fn text(&mut self, text: &str, line: usize) -> Result<(), Error> {
        if self.is_too_deep() {
            return Ok(());
        }
        // A script that is started many times is read once.
        let script = if line == 0 { self.call.memory.script(text) } else { Rc::new(moved(tree::parse(text), line)) };
        if !script.is_whole && self.is_whole && self.depth == 0 {
            self.needs.notes.push(format!(
                "{} was only partly understood: programs that its words name are packed, but missing ones are not \
                 reported",
                self.script
            ));
        }
        let was_whole = self.is_whole;
        self.is_whole &= script.is_whole;
        self.depth += 1;
        self.survey(&script.steps);
        let mut outer = Vec::new();
        for step in &script.steps {
            match step {
                Step::Open => outer.push((self.cwd.clone(), self.path.clone())),
                Step::Close => {
                    if let Some(before) = outer.pop() {
                        (self.cwd, self.path) = before;
                    }
                }
                step => self.step(step)?,
            }
        }
        self.depth -= 1;
        self.is_whole = was_whole;
        Ok(())
    }

    /// Checks the limit of nesting, and reports it.
    fn is_too_deep(&mut self) -> bool {
        let is_too_deep = self.depth > MAX_DEPTH;
        if is_too_deep {
            self.needs.cut(format!(
                "{} nests eval, trap, functions and sourced files deeper than {MAX_DEPTH} levels: programs that deeper \
                 levels start were not found; --bin adds a program",
                self.script
            ));
        }
        is_too_deep
    }

    /// Collects facts that hold regardless of position: functions, aliases, and programs that are tested for before
    /// they are used.
    fn survey(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Function(name) => {
                    self.functions.insert(name.clone());
                }
                Step::Command(simple) => {
                    let Some((name, rest)) = simple.words.split_first() else { continue };
                    let name = &self.known.one(name);
                    if name == "shift" && simple.function.is_none() {
                        (1..=9).for_each(|at| self.known.forget(&at.to_string()));
                    }
                    let rest = || rest.iter().map(|word| self.known.one(word));
                    let is_query = name == "command" && rest().any(|word| matches!(word.as_str(), "-v" | "-V"));
                    if is_query || table().queries.contain(name) {
                        self.tested.extend(rest().filter(|word| !word.starts_with('-')));
                    } else if name == "alias" {
                        let alias = |word: String| word.split_once('=').map(|(name, _)| name.to_owned());
                        self.functions.extend(rest().filter_map(alias));
                    }
                    let near = if wrapped::is_wrapper(name) { simple.words.len() } else { 3 };
                    if let Some(function) = &simple.function
                        && simple.words.iter().take(near).any(is_arguments)
                        && (is_arguments(&simple.words[0]) || !is_builtin(name) || name == "exec")
                    {
                        self.runners.insert(function.clone());
                    }
                }
                _ => {}
            }
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        let cwd = self.cwd.to_string();
        if self.known.last("PWD").is_none_or(|known| known != cwd) {
            self.known.set("PWD", cwd);
        }
        match step {
            Step::Assign { name, words, is_array, is_added } => {
                self.assign(name, words.as_deref(), *is_array, *is_added)
            }
            Step::Loop(name, words) => {
                for word in words {
                    let patterns = self.patterns(word);
                    if !patterns.is_empty() {
                        for pattern in patterns {
                            for path in self.matches(&pattern)? {
                                let why = format!("{} goes through {pattern}", self.script);
                                self.needs.files.push((path.clone(), why));
                                self.known.add(name, Some(path.to_string()));
                            }
                        }
                        continue;
                    }
                    if is_arguments(word) {
                        self.known.add(name, None);
                        continue;
                    }
                    let values = self.known.values(word);
                    let split = values.known.iter().flat_map(|value| value.split_whitespace());
                    for value in split.map(str::to_owned).collect::<Vec<_>>() {
                        self.known.add(name, Some(value));
                    }
                    if values.unknown.is_some() {
                        self.known.add(name, None);
                    }
                }
                Ok(())
            }
            Step::Export(names) => {
                self.export(names);
                Ok(())
            }
            Step::Tested(word) => {
                self.tested.extend(self.known.values(word).known);
                Ok(())
            }
            Step::Command(simple) => {
                let (is_soft, is_exec) = (simple.is_soft, simple.is_last && self.depth == 1);
                self.search(simple);
                self.command(&simple.words, &Line { simple, is_exec, is_soft, is_program: false, is_guess: false })
            }
            Step::Input(word) => self.input(word),
            Step::Function(_) | Step::Open | Step::Close => Ok(()),
        }
    }

    /// Interprets one command; `words` are those that remain after `exec` and the like.
    fn command(&mut self, words: &[Word], line: &Line<'_>) -> Result<(), Error> {
        let Some(first) = words.first() else { return Ok(()) };
        if let [Part::Text(name)] = first.parts.as_slice() {
            let rest = &words[1..];
            match name.as_str() {
                "exec" | "command" | "builtin" => {
                    let mut at = 0;
                    while let Some([Part::Text(option)]) = rest.get(at).map(|word| word.parts.as_slice())
                        && option.starts_with('-')
                    {
                        if name == "command" && option.contains(['v', 'V']) {
                            return Ok(());
                        }
                        at += if name == "exec" && option.ends_with('a') { 2 } else { 1 };
                    }
                    let is_exec = line.is_exec || name == "exec";
                    let inner = Line { is_exec, is_program: name != "builtin", ..*line };
                    return self.command(rest.get(at..).unwrap_or_default(), &inner);
                }
                "time" | "!" => return self.command(rest, line),
                _ => {}
            }
        }
        let is_own = line.simple.function.is_some() && is_arguments(first);
        if is_own {
            return Ok(());
        }
        for pattern in words.iter().filter_map(pattern) {
            self.handed(&pattern, line.simple.line)?;
        }
        let unknown = self.unknown(first);
        let (cwd, path, env) = (self.cwd.clone(), self.path.clone(), self.env.clone());
        for (name, value) in &line.simple.prefix {
            let value = self.known.one(value);
            if name == "PATH" {
                self.path = format!("{value}:{}", self.path);
                self.env.insert(name.clone(), self.path.clone());
            } else {
                self.env.insert(name.clone(), value);
            }
        }
        let is_sourcing = matches!(first.parts.as_slice(), [Part::Text(name)] if table().sources.contain(name));
        // The file that an interpreter runs may be the variable of a loop.
        let is_running = matches!(first.parts.as_slice(), [Part::Text(name)] if is_interpreter(name));
        let is_option = |word: &Word| matches!(word.parts.first(), Some(Part::Text(text)) if text.starts_with('-'));
        let exact = match is_running && words.get(1).is_some_and(is_option) {
            true => 3,
            false => 1 + usize::from(is_sourcing || is_running),
        };
        let mut lines = self.lines(words, line.simple.function.as_ref(), exact);
        if is_sourcing {
            // Of several values of a variable, those count that lead to a file.
            let is_there = |words: &Vec<String>| {
                let file = words.get(1).map(|file| self.call.root.follow_from(&self.cwd, file.as_bytes()));
                file.and_then(Result::ok).is_some_and(|followed| followed.file().is_some())
            };
            match lines.iter().any(is_there) {
                true => lines.retain(is_there),
                false => lines.truncate(1),
            }
        }
        let was_shell = lines.iter().any(|words| self.is_shells(&words[0]));
        if let Some(unknown) = unknown.filter(|_| lines.is_empty() && !line.is_soft && self.is_whole) {
            self.alike(first, line.simple.line, unknown)?;
        }
        let is_guess = list_name(first).is_some_and(|name| self.known.lists(&name).len() > 1);
        for words in lines {
            self.line(&words, &Line { is_guess, ..*line })?;
        }
        (self.path, self.env) = (path, env);
        if !was_shell {
            self.cwd = cwd;
        }
        Ok(())
    }

    fn unknown(&self, first: &Word) -> Option<String> {
        if is_arguments(first) {
            return Some("$@".to_owned());
        }
        self.known.values(first).unknown
    }

    /// Possible expansions of a command. The first `exact` words are expanded to every known value, the others to one.
    fn lines(&self, words: &[Word], function: Option<&String>, exact: usize) -> Vec<Vec<String>> {
        let mut lines = vec![Vec::new()];
        for (at, word) in words.iter().enumerate() {
            let more: Vec<Vec<String>> = if let Some(name) = list_name(word) {
                // Inside a function, `$@` are the arguments of the function, not those of the script.
                let lists = if name == "@" && function.is_some() { &[] } else { self.known.lists(&name) };
                if lists.is_empty() && at > 0 { vec![Vec::new()] } else { lists.to_vec() }
            } else if at < exact {
                let values = self.known.values(word).known.into_iter();
                let split = |value: String| match word.is_quoted {
                    true => vec![value],
                    false => value.split_whitespace().map(str::to_owned).collect(),
                };
                values.map(split).collect()
            } else {
                vec![vec![self.known.one(word)]]
            };
            if let [only] = more.as_slice() {
                lines.iter_mut().for_each(|line| line.extend_from_slice(only));
                continue;
            }
            let product =
                |line: &Vec<String>| more.iter().map(move |more| [line.as_slice(), more].concat()).collect::<Vec<_>>();
            lines = lines.iter().flat_map(product).take(MAX_LINES).collect();
        }
        lines.retain(|line| line.first().is_some_and(|first| !first.is_empty()));
        lines
    }

    fn is_shells(&self, name: &str) -> bool {
        is_builtin(name) || !self.is_dash && is_bash_builtin(name)
    }

    /// Adds a program that is started. One more than the limit is kept, to show that the limit was exceeded.
    fn start(&mut self, start: Start) {
        if self.needs.starts.len() <= MAX_STARTS {
            self.needs.starts.push(start);
        }
    }

    /// Interprets one command after expansion.
    fn line(&mut self, words: &[String], line: &Line<'_>) -> Result<(), Error> {
        let (name, args) = (words[0].as_str(), &words[1..]);
        if !line.is_program || name == "." {
            if self.functions.contains(name) {
                if self.runners.contains(name) && !args.is_empty() && !args[0].is_empty() {
                    let inner = Line { is_soft: true, is_program: false, ..*line };
                    // The function may take words of its own before them: `retry 3 curl …`.
                    let at = (0..args.len().min(MAX_OWN)).map(|at| self.is_command(&args[at]).map(|is| (at, is)));
                    let at = at.collect::<Result<Vec<_>, _>>()?.into_iter().find(|(_, is)| *is).map_or(0, |(at, _)| at);
                    self.depth += 1;
                    if !self.is_too_deep() {
                        self.line(&args[at..], &inner)?;
                    }
                    self.depth -= 1;
                }
                return Ok(());
            }
            if self.is_shells(name) {
                return self.builtin(name, args, line);
            }
        }
        match self.program(name)? {
            Some(path) => {
                self.inner(&path, args, line)?;
                if table().lists.contain(name) {
                    self.listed_data(args, line.simple.line)?;
                }
                let mut started = vec![path.to_string()];
                started.extend_from_slice(args);
                self.add_input(name, &mut started, line.simple);
                self.start(Start {
                    words: started,
                    cwd: self.cwd.clone(),
                    env: self.env.clone(),
                    is_exec: line.is_exec && !line.simple.is_conditional && line.simple.function.is_none(),
                    certainty: Certainty::Sure,
                    why: format!("{} starts it in line {}", self.script, line.simple.line),
                });
            }
            None => self.missing(name, line),
        }
        Ok(())
    }

    /// The command that a wrapper starts must exist too.
    fn inner(&mut self, path: &RootPath, args: &[String], line: &Line<'_>) -> Result<(), Error> {
        for inner in wrapped::inner(&String::from_utf8_lossy(path.name()), args) {
            let name = args[inner.words.start].clone();
            if !name.is_empty() && inner.bins.is_empty() && self.program(&name)?.is_none() {
                self.missing(&name, line);
            }
        }
        Ok(())
    }

    /// True for a function, a builtin or a program.
    fn is_command(&self, name: &str) -> Result<bool, Error> {
        Ok(self.functions.contains(name) || self.is_shells(name) || self.program(name)?.is_some())
    }

    fn program(&self, name: &str) -> Result<Option<RootPath>, Error> {
        let is_relative = name.contains('/') && !name.starts_with('/');
        let spelled =
            if is_relative { format!("{}/{}", self.cwd, name.trim_start_matches("./")) } else { name.to_owned() };
        program(self.call.root, &self.path, &spelled)
    }

    fn missing(&mut self, name: &str, line: &Line<'_>) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.+/".contains(c);
        let path = RootPath::new(name);
        let is_made = path.is_some_and(|path| system().at_run_time.cover(&path));
        let is_named =
            name.chars().all(is_name) && name.starts_with(|c: char| c.is_ascii_alphanumeric() || "/._".contains(c));
        if !self.is_whole || is_made || !is_named || line.is_guess {
            return;
        }
        let base = name.rsplit('/').next().unwrap_or(name);
        if line.is_soft || self.tested.contains(name) || self.tested.contains(base) {
            let says = format!("{} would start {name}, which is not in the root; it handles the absence", self.script);
            if !self.needs.notes.contains(&says) {
                self.needs.notes.push(says);
            }
            return;
        }
        let help = (self.is_dash && is_bash_builtin(name))
            .then(|| format!("{name} is a command of bash, and this shell is dash: change the #! line to bash"));
        self.unresolved(line.simple.line, name.to_owned(), true, help);
    }

    fn unresolved(&mut self, line: usize, word: String, is_missing: bool, help: Option<String>) {
        let new = UnresolvedCommand { script: self.script.clone(), line, word, is_missing, help };
        let is_known = |known: &UnresolvedCommand| known.script == new.script && known.word == new.word;
        if !self.needs.unresolved.iter().any(is_known) {
            self.needs.unresolved.push(new);
        }
    }
}

/// The name of the list that a word expands to: `"$@"`, `"${words[@]}"`.
fn list_name(word: &Word) -> Option<String> {
    match word.parts.as_slice() {
        [Part::Variable(name, _)] if name == "@" || name == "*" => Some("@".to_owned()),
        [Part::Variable(name, _)] if name.ends_with("[@]") => Some(name.clone()),
        _ => None,
    }
}

fn is_arguments(word: &Word) -> bool {
    list_name(word).as_deref() == Some("@")
}

/// The word, if it is a glob with an absolute path.
fn pattern(word: &Word) -> Option<String> {
    let text: Option<String> = word
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) | Part::Other(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    text.filter(|text| text.starts_with('/') && text.contains('*'))
}

/// Counts the lines of a piece from the start of its file.
fn moved(mut script: Script, line: usize) -> Script {
    for step in &mut script.steps {
        if let Step::Command(simple) = step {
            simple.line += line;
        }
    }
    script
}
