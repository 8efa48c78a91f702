//! Programs that the sources of a Perl, PHP or Ruby application start by name, and the shell that starts them. Of
//! installed modules, only those that the language rule passes are scanned.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde::Deserialize;

use super::application as app;
use super::flow::{self, Computed};
use super::helpers;
use super::interpreters::system_shell;
use super::literals::{Named, calls_of, line};
use crate::error::Error;
use crate::language::{Call, Certainty, Command, Needs, UnresolvedCommand, is_shell};
use crate::path::RootPath;
use crate::root::{FileKind, Visit};
use crate::world::tables::{Words, system};

/// Maximum size of a source file that is scanned.
const MAX_SOURCE: usize = 4 << 20;
/// Maximum number of commands with unknown values that are reported.
const MAX_LOST: usize = 64;

/// Functions with which a language starts programs, from its table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Manner {
    /// Suffixes of its source files.
    sources: Words,
    /// Text that precedes a command.
    calls: Words,
    /// Words before a command in brackets or slashes, such as `qx{…}`.
    #[serde(default)]
    quotes: Words,
    /// Calls that start the command in a text that begins or ends with a bar, such as `open(X, "date |")`.
    #[serde(default)]
    pipes: Words,
    /// Letters of options whose argument is a source: `-e`, also behind others, as in `-ne`.
    #[serde(default)]
    text_options: Words,
    /// Calls whose first three arguments are handles, such as `open3(IN, OUT, ERR, "date")`, and those with two.
    #[serde(default)]
    after_three: Words,
    #[serde(default)]
    after_two: Words,
    /// Functions that put values into a text: `system(sprintf("%s -x", "date"))`.
    #[serde(default)]
    formats: Words,
    /// True if a sign marks variables, as in `$x`.
    has_signs: bool,
    /// Words before the name of a function.
    functions: Words,
    /// Tokens that must precede a backtick command; `None` if all backticks contain commands.
    before_backtick: Option<Words>,
}

impl Manner {
    /// Commands in backticks and other quotes, each with its offset.
    fn commands<'t>(&self, text: &'t [u8]) -> Vec<(usize, &'t [u8])> {
        let mut found = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let mut from = 0;
            while let Some(open) = memchr::memchr(b'`', &line[from..]).map(|open| from + open) {
                let Some(length) = memchr::memchr(b'`', &line[open + 1..]) else { break };
                let before = line[..open].trim_ascii_end();
                let is_command = match &self.before_backtick {
                    Some(signs) => signs.end(before),
                    None => memchr::memchr(b'#', before).is_none(),
                };
                if is_command && length > 0 {
                    found.push((at + open, &line[open + 1..=open + length]));
                }
                from = open + length + 2;
            }
            at += line.len();
        }
        for word in self.quotes.iter() {
            for from in calls_of(text, word).filter(|from| *from < text.len()) {
                let close = match text[from] {
                    b'(' => b')',
                    b'{' => b'}',
                    b'[' => b']',
                    sign @ (b'/' | b'|' | b'!') => sign,
                    _ => continue,
                };
                let Some(length) = memchr::memchr(close, &text[from + 1..]) else { continue };
                found.push((from + 1, &text[from + 1..from + 1 + length]));
            }
        }
        for at in self.later(text) {
            found.extend(flow::quoted(&text[at..]).filter(|_| b"'\"".contains(&text[at])).map(|inner| (at + 1, inner)));
        }
        for from in self.pipes.iter().flat_map(|word| calls_of(text, word)) {
            found.extend(flow::piped(text, from));
        }
        found
    }

    /// The offsets of commands that are not the first argument of a call: those after handles, and the value with which a
    /// formatted text begins.
    fn later(&self, text: &[u8]) -> Vec<usize> {
        let of = |words: &Words, count: usize| -> Vec<usize> {
            let calls = words.iter().flat_map(|name| calls_of(text, name));
            calls.filter_map(|at| flow::argument(text, at, count)).collect()
        };
        let mut found = [of(&self.after_three, 3), of(&self.after_two, 2)].concat();
        for at in self.calls.iter().flat_map(|name| calls_of(text, name)) {
            let Some(from) = flow::argument(text, at, 0) else { continue };
            let format = self.formats.iter().find(|name| text[from..].starts_with(name.as_bytes()));
            let Some(open) = format.map(|name| from + name.len()) else { continue };
            let begins = flow::argument(text, open, 0).is_some_and(|at| text[at + 1..].starts_with(b"%"));
            found.extend(flow::argument(text, open, 1).filter(|_| begins));
        }
        found
    }

    /// Calls whose command is in a variable.
    fn computed(&self, text: &[u8], commands: &[(usize, &[u8])]) -> Vec<Computed> {
        let calls = self.calls.iter().flat_map(|name| calls_of(text, name));
        let calls = calls.filter_map(|at| flow::computed(text, at, self.has_signs));
        let quoted = commands.iter().filter_map(|(at, command)| {
            let found = flow::in_quotes(command, self.has_signs)?;
            Some(Computed { at: *at, ..found })
        });
        let later = self.later(text).into_iter().filter_map(|at| flow::computed(text, at, self.has_signs));
        calls.chain(quoted).chain(later).collect()
    }
}

/// Sources of a launch.
pub(crate) struct Sources<'s> {
    /// Directories of the application.
    pub(crate) dirs: &'s [RootPath],
    /// Scripts. Their commands with unknown values are reported.
    pub(crate) scripts: &'s [RootPath],
    /// Modules of the script's own package, and those that it uses itself.
    pub(crate) modules: &'s [RootPath],
}

/// What the sources of launches start: many launches of one script scan its sources once.
#[derive(Default)]
pub(crate) struct Memory(RefCell<HashMap<Files, Rc<Scanned>>>);

/// The sources that are scanned, as one language reads them.
#[derive(PartialEq, Eq, Hash)]
struct Files {
    manner: *const Manner,
    dirs: Vec<RootPath>,
    scripts: Vec<RootPath>,
    modules: BTreeSet<RootPath>,
    /// Sources in the arguments of a program.
    program: RootPath,
    texts: Vec<String>,
}

#[derive(Default)]
struct Scanned {
    named: Named,
    /// A source that starts programs through a shell.
    shell: Option<RootPath>,
    unresolved: Vec<UnresolvedCommand>,
}

/// Adds the programs that sources start.
pub(crate) fn ask(call: &Call<'_>, manner: &Manner, sources: &Sources<'_>, needs: &mut Needs) -> Result<(), Error> {
    let files = Files {
        manner,
        dirs: sources.dirs.to_vec(),
        scripts: sources.scripts.to_vec(),
        modules: modules(call, manner, sources)?,
        program: call.programs.last().cloned().unwrap_or_else(RootPath::root),
        texts: texts(call, manner),
    };
    let known = call.memory.started.0.borrow().get(&files).cloned();
    let scanned = match known {
        Some(known) => known,
        None => {
            let scanned = Rc::new(scan(call, manner, &files)?);
            call.memory.started.0.borrow_mut().insert(files, Rc::clone(&scanned));
            scanned
        }
    };
    if let Some(path) = &scanned.shell {
        let why = format!("{path} starts programs through a shell");
        needs.commands.push(Command { name: system_shell().to_owned(), certainty: Certainty::Likely, why });
    }
    needs.unresolved.extend(scanned.unresolved.iter().cloned());
    scanned.named.ask(call, needs)
}

/// Sources in arguments, as in `-e TEXT` and `-ne TEXT`.
fn texts(call: &Call<'_>, manner: &Manner) -> Vec<String> {
    let is_text = |word: &String| {
        let flags = word.strip_prefix('-').filter(|flags| flags.bytes().all(|b| b.is_ascii_alphanumeric()));
        call.scripts.is_empty() && flags.is_some_and(|flags| manner.text_options.end(flags.as_bytes()))
    };
    call.args.windows(2).filter(|pair| is_text(&pair[0])).map(|pair| pair[1].clone()).collect()
}

/// The shell of a command line that reads its commands from its input: `| sh`.
fn shell_with_input(command: &[u8]) -> Option<&str> {
    let mut words = std::str::from_utf8(command).ok()?.trim_start_matches(['|', ' ']).split_whitespace();
    let shell = words.next()?;
    let is_flag = |word: &str| word.starts_with('-') && !word.contains('c');
    (is_shell(shell.rsplit('/').next().unwrap_or(shell)) && words.all(is_flag)).then_some(shell)
}

fn scan(call: &Call<'_>, manner: &Manner, files: &Files) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    let Scanned { named, shell, unresolved } = &mut scanned;
    let shared = helpers_of(call, manner, &files.scripts, &files.modules)?;
    let mut look = |path: &RootPath, text: &[u8], is_script: bool| {
        named.keep_data(path, text);
        named.keep_beside(call.root, path, text);
        let mut starts = named.starts(path, text, &manner.calls);
        let commands = manner.commands(text);
        for (at, command) in &commands {
            starts = true;
            named.command(path, text, *at, command);
            if let Some(shell) = shell_with_input(command).filter(|_| is_script && unresolved.len() < MAX_LOST) {
                let (line, word) = (line(text, *at), format!("the input of {shell}"));
                unresolved.push(UnresolvedCommand { script: path.clone(), line, word, is_missing: false, help: None });
            }
        }
        let calls = manner.computed(text, &commands);
        let mut names = helpers::names(text, &calls, &manner.functions);
        names.extend(shared.iter().cloned());
        let given = helpers::commands(text, &names, &manner.functions, manner.has_signs);
        for (command, at) in &given {
            named.command(path, text, *at, command.as_bytes());
        }
        for computed in calls {
            starts = true;
            let texts = flow::texts(text, &computed.variable, manner.has_signs);
            for (command, at) in &texts {
                named.command(path, text, *at, command.as_bytes());
            }
            // Libraries of an application start what their callers request, so unknown commands are reported only for
            // scripts.
            let is_given = || {
                let one = std::slice::from_ref(&computed);
                !given.is_empty() && !helpers::names(text, one, &manner.functions).is_empty()
            };
            if is_script && texts.is_empty() && unresolved.len() < MAX_LOST && !is_given() {
                let variable = computed.variable;
                let word = if manner.has_signs { format!("${variable}") } else { variable };
                let line = line(text, computed.at);
                unresolved.push(UnresolvedCommand { script: path.clone(), line, word, is_missing: false, help: None });
            }
        }
        if starts && shell.is_none() {
            *shell = Some(path.clone());
        }
    };
    let single = files.scripts.iter().map(|file| (file, true)).chain(files.modules.iter().map(|file| (file, false)));
    for (file, is_script) in single {
        if let Some((real, text)) = call.root.read_followed(file.as_bytes(), MAX_SOURCE)? {
            look(&real, &text, is_script);
        }
    }
    for text in &files.texts {
        look(&files.program, text.as_bytes(), true);
    }
    for dir in &files.dirs {
        call.root.visit(dir, &mut |path, meta| {
            let is_source = manner.sources.end(path.name());
            if meta.kind == FileKind::File && is_source && call.root.is_within(path, meta, MAX_SOURCE) {
                look(path, &call.root.read(path, MAX_SOURCE)?, false);
            } else if meta.kind == FileKind::Link && is_source {
                // Distributions keep the settings of an application in /etc.
                let followed = call.root.read_followed(path.as_bytes(), MAX_SOURCE)?;
                followed.into_iter().for_each(|(real, text)| look(&real, &text, false));
            }
            Ok(if app::is_leftover(path) { Visit::Pass } else { Visit::Enter })
        })?;
    }
    Ok(scanned)
}

/// The modules that are scanned: those that a language gives, and sources that the script's own package keeps elsewhere,
/// such as /usr/share/NAME/modules.
fn modules(call: &Call<'_>, manner: &Manner, sources: &Sources<'_>) -> Result<BTreeSet<RootPath>, Error> {
    let mut found: BTreeSet<RootPath> = sources.modules.iter().cloned().collect();
    if !sources.scripts.is_empty() {
        for parent in system().helpers.iter().chain(system().package_parents.iter()).filter_map(RootPath::new) {
            found.extend((call.own_modules)(&parent)?.into_iter().filter(|path| !system().not_run.cover(path)));
        }
    }
    found.retain(|path| manner.sources.end(path.name()) && !sources.scripts.contains(path));
    Ok(found)
}

/// The functions of the scripts and of their package's modules that start what they are given.
fn helpers_of(
    call: &Call<'_>,
    manner: &Manner,
    scripts: &[RootPath],
    modules: &BTreeSet<RootPath>,
) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for file in scripts.iter().chain(modules) {
        if let Some((_, text)) = call.root.read_followed(file.as_bytes(), MAX_SOURCE)? {
            let calls = manner.computed(&text, &manner.commands(&text));
            found.extend(helpers::names(&text, &calls, &manner.functions));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_backticks_are_told_from_names() {
        let found = |before: &str, text: &'static str| -> Vec<String> {
            let manner: Manner =
                toml::from_str(&format!("sources = []\ncalls = []\nfunctions = []\nhas-signs = true\n{before}"))
                    .expect("a table");
            let found = manner.commands(text.as_bytes());
            found.into_iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()).collect()
        };
        assert_eq!(found("", "# `no`\nx { `date -u` } . `id`"), ["date -u", "id"]);
        assert_eq!(
            found("before-backtick = ['=', 'return']", "$q = 'select `id`'; $d = `date`;\nreturn `w`;"),
            ["date", "w"]
        );
    }
}
