//! Settings: the configuration files that an applied profile reads, their includes, and the modules and files that
//! their statements name, each with the line.

mod arguments;
mod config_commands;
mod launch;
mod pam;
mod probes;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use probes::values;

use self::pam::Start;
use super::profile_take::host_of;
use super::{On, Rule, applied};
use crate::closure::demand::{Demand, Host, Why};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Reason, Unconfigured};
use crate::config::{self, Statement};
use crate::error::Error;
use crate::language::Certainty;
use crate::path::{RootPath, show};
use crate::profile::{Names, Need, Place, Profile, Read, Values, What};
use crate::root::{FileKind, Meta, RootGlob};

pub(crate) use config_commands::programs_of as config_programs;

pub(super) const RULE: Rule = Rule {
    id: "settings",
    about: "Packs what configuration files and arguments name: included files, modules, data. Profiles say where.",
    brings_packages: false,
    facts: &[On::Applied, On::Changed],
    on,
};

/// Maximum size of a configuration file, number of files per reading, and depth of includes.
const MAX_FILE: usize = 1 << 20;
const MAX_FILES: usize = 1024;
const MAX_DEPTH: usize = 16;
/// Maximum number of names that one reading follows.
const MAX_NAMES: usize = 10_000;
/// The keyword for the directory of the main configuration file.
const MAIN: &str = "main";

/// A statement and the path through which its file was reached.
struct Stated {
    file: RootPath,
    statement: Statement,
}

/// A profile's rule for reading configuration, and what has been read so far.
struct Reading<'s, 'w> {
    state: &'s State<'w>,
    demands: &'s mut Vec<Demand>,
    host: Host,
    read: &'s Read,
    profile: &'s str,
    by: &'s Profile,
    values: Values,
    /// Values of `${name}`.
    variables: BTreeMap<String, String>,
    /// Variables that the files define for the commands in them.
    defined: BTreeMap<String, String>,
    stated: Vec<Stated>,
    seen: BTreeSet<RootPath>,
    /// True if every statement that may name a module was understood.
    is_whole: bool,
}

/// Keys by section, for statements that refer to a section whose keys are names.
struct Sections<'s> {
    keys: BTreeMap<&'s str, Vec<&'s Statement>>,
    /// Sections that name a module themselves; the key that refers to such a section is not a name.
    modules: BTreeSet<&'s str>,
}

impl<'s> Sections<'s> {
    fn of(read: &Read, stated: &'s [Stated]) -> Self {
        let mut sections = Self { keys: BTreeMap::new(), modules: BTreeSet::new() };
        for Stated { statement, .. } in stated {
            sections.keys.entry(&statement.section).or_default().push(statement);
            if read.rules(statement).any(|rule| !rule.keys && rule.what == What::Module) {
                sections.modules.insert(&statement.section);
            }
        }
        sections
    }

    /// The names in a statement; the keys of a section are returned only once.
    fn names(&mut self, rule: &Names, statement: &'s Statement) -> Vec<&'s str> {
        if !rule.keys {
            return picked(rule, statement);
        }
        let sections = picked(rule, statement).into_iter();
        let keys = sections.flat_map(|section| self.keys.remove(section).unwrap_or_default());
        let keys: Vec<&Statement> = keys.collect();
        let is_name = |key: &&Statement| key.words.first().is_none_or(|own| !self.modules.contains(own.as_str()));
        keys.into_iter().filter(is_name).map(|key| key.name.as_str()).collect()
    }
}

/// The result of looking up a name.
enum Named {
    /// Existing paths, as spelled.
    There(Vec<Vec<u8>>),
    /// Missing: a literal name, and the first path that was tried.
    Absent(Vec<u8>),
    /// It contains a variable of unknown value.
    Open,
}

fn on(state: &State<'_>, fact: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    for (one, profile, done) in applied(state, RULE.id, fact, |profile| !profile.read.is_empty()) {
        demands.push(done);
        let values = values(state, profile)?;
        for read in &profile.read {
            read_rule(state, &mut demands, (profile, host_of(one)), read, &values)?;
        }
    }
    Ok(demands)
}

/// Reads the files of a profile's rule and adds the files that they name.
fn read_rule(
    state: &State<'_>,
    demands: &mut Vec<Demand>,
    (profile, host): (&Profile, Host),
    read: &Read,
    values: &Values,
) -> Result<(), Error> {
    let root = state.world.root;
    // Files named in arguments replace the defaults if a program is certain to receive the arguments.
    let mut starts = arguments::files(state, profile, read, Certainty::Sure)?;
    if starts.is_empty() {
        for glob in read.files.iter().flat_map(|place| place.filled(values)) {
            starts.extend(root.matching(&glob)?);
        }
    }
    starts.extend(arguments::files(state, profile, read, Certainty::Likely)?);
    let starts = pam::named_services(state, demands, read, starts)?;
    let mut reading = Reading {
        state,
        demands,
        host,
        read,
        profile: &profile.name,
        by: profile,
        values: values.clone(),
        variables: state.env.iter().chain(&state.request.env).map(|(k, v)| (k.clone(), v.clone())).collect(),
        defined: BTreeMap::new(),
        stated: Vec::new(),
        seen: BTreeSet::new(),
        is_whole: true,
    };
    for Start { path, why } in starts {
        let dir = path.parent().unwrap_or_else(RootPath::root);
        reading.values.insert(MAIN.to_owned(), vec![RootGlob::literal(&dir)]);
        let reason = Arc::new(Reason::Profile { profile: profile.name.clone(), why });
        reading.read_config(path.as_bytes(), &reason, 0)?;
    }
    reading.said_by_command()?;
    let stated = std::mem::take(&mut reading.stated);
    let mut sections = Sections::of(read, &stated);
    let mut names = 0;
    for one in &stated {
        // A word that one rule treats as a name is not passed to the next.
        let mut claimed = BTreeSet::new();
        for rule in read.rules(&one.statement) {
            if matches!(rule.what, What::Launch | What::Programs | What::Text) {
                names += 1;
                match rule.what {
                    _ if names > MAX_NAMES => {}
                    What::Text => reading.program_text(rule, one)?,
                    _ => reading.launch(rule, one, &stated)?,
                }
                continue;
            }
            for name in sections.names(rule, &one.statement) {
                names += 1;
                let is_name = claimed.insert(name) && !rule.except.iter().any(|except| except == name);
                if names <= MAX_NAMES && is_name {
                    reading.statement(rule, one, name)?;
                }
            }
        }
    }
    if names > MAX_NAMES {
        reading.is_whole = false;
        let first = stated.first().map_or_else(RootPath::root, |one| one.file.clone());
        root.leave_unread(
            &first,
            format!("settings name {names} files and programs: those after {MAX_NAMES} are not packed"),
        );
    }
    if !reading.seen.is_empty() && reading.is_whole {
        return Ok(());
    }
    let reason = Arc::new(Reason::Profile { profile: profile.name.clone(), why: read.why.clone() });
    for glob in read.otherwise.iter().flat_map(|place| place.filled(&reading.values)) {
        for start in root.matching(&glob)? {
            let (reason, host) = (Arc::clone(&reason), reading.host.clone());
            reading.demands.push(Demand::Tree { start, reason, without: None, host, by: None });
        }
    }
    Ok(())
}

impl Reading<'_, '_> {
    /// Settings in arguments are statements too.
    fn said_by_command(&mut self) -> Result<(), Error> {
        let path = self.state.entries.first().map_or_else(RootPath::root, |entry| entry.path.clone());
        for statement in arguments::statements(self.state, self.by, self.read)? {
            self.state(&path, statement, 0)?;
        }
        Ok(())
    }

    /// Adds and reads a file, or each file in a directory, with all includes.
    fn read_config(&mut self, path: &[u8], reason: &Why, depth: usize) -> Result<(), Error> {
        let followed = self.state.world.root.follow(path)?;
        let Some((real, kind)) = followed.found().map(|(real, meta)| (real.clone(), meta.kind)) else { return Ok(()) };
        if depth > MAX_DEPTH || self.seen.len() >= MAX_FILES {
            self.is_whole = false;
            let says = format!("settings after {MAX_FILES} files, or {MAX_DEPTH} levels of inclusion, are not read");
            let main = self.seen.first().unwrap_or(&real);
            self.state.world.root.leave_unread(main, says);
            return Ok(());
        }
        if kind == FileKind::Dir {
            for name in self.state.world.root.list(&real)? {
                let inside = [path, b"/", &name].concat();
                if self.state.world.root.follow(&inside)?.file().is_some() {
                    self.read_config(&inside, reason, depth + 1)?;
                }
            }
            return Ok(());
        }
        if kind != FileKind::File || !self.seen.insert(real.clone()) {
            return Ok(());
        }
        self.configured(path, reason, Host::None)?;
        self.is_whole &= self.state.world.root.meta(&real)?.is_none_or(|meta| meta.size <= MAX_FILE as u64);
        let file = RootPath::new(path).unwrap_or_else(|| real.clone());
        let statements = config::parse(self.read.grammar, &self.state.world.root.read(&real, MAX_FILE)?);
        if statements.len() == config::MAX_STATEMENTS {
            let says = format!("statements after the first {} are not read", config::MAX_STATEMENTS);
            self.state.world.root.leave_unread(&real, says);
        }
        for statement in statements {
            self.state(&file, statement, depth)?;
        }
        Ok(())
    }

    /// Handles the immediate effect of a statement; the names in it are looked up after everything is read.
    fn state(&mut self, file: &RootPath, statement: Statement, depth: usize) -> Result<(), Error> {
        let read = self.read;
        let Some(rule) = read.rules(&statement).next() else {
            // The purpose of a section is known only after everything is read.
            if read.names.iter().any(|names| names.keys || names.launch.has_keys()) {
                self.stated.push(Stated { file: file.clone(), statement });
            }
            return Ok(());
        };
        match &rule.what {
            What::Config => self.include_config(rule, file, &statement, depth)?,
            What::Value(name) => {
                let value = statement.words.first().and_then(|word| plain(word, &self.variables));
                match value.and_then(|value| RootPath::new(value.as_bytes())) {
                    Some(dir) => {
                        self.values.insert(name.clone(), vec![RootGlob::literal(&dir)]);
                        // Programs refuse a directory that is missing, also if nothing in it is packed.
                        let one = Stated { file: file.clone(), statement: statement.clone() };
                        if self.state.world.root.follow(dir.as_bytes())?.dir().is_some() {
                            self.add_dir(&one, dir.as_bytes())?;
                        }
                    }
                    None => self.is_whole = false,
                }
            }
            What::Variable => {
                if let [name, value, ..] = statement.words.as_slice() {
                    self.variables.insert(name.clone(), value.clone());
                    self.define(name, value);
                }
            }
            _ => self.stated.push(Stated { file: file.clone(), statement }),
        }
        Ok(())
    }

    fn include_config(
        &mut self,
        rule: &Names,
        file: &RootPath,
        statement: &Statement,
        depth: usize,
    ) -> Result<(), Error> {
        for word in picked(rule, statement) {
            let word = match word.contains("%(") {
                true => launch::included(word, file, &self.variables),
                false => word.to_owned(),
            };
            match self.look_up(rule, file, &word)? {
                Named::There(paths) => {
                    let reason = Arc::new(reason(self.profile, file, statement));
                    for path in paths {
                        self.read_config(&path, &reason, depth + 1)?;
                    }
                }
                Named::Absent(path) => self.report_absent(rule, file, statement, &path),
                Named::Open => self.is_whole = false,
            }
        }
        Ok(())
    }

    /// Adds the files for one name in a statement.
    fn statement(&mut self, rule: &Names, one: &Stated, name: &str) -> Result<(), Error> {
        if rule.what == What::Command {
            let (file, line) = (one.file.clone(), name.to_owned());
            self.demands.push(Demand::Report(Message::Delegated { file, line }));
            return Ok(());
        }
        let is_other = || Ok(self.state.world.root.follow(name.as_bytes())?.file().is_none());
        if name.is_empty() || rule.paths && is_other()? {
            return Ok(());
        }
        match self.look_up(rule, &one.file, name)? {
            Named::There(paths) => {
                for path in paths {
                    self.add_named(rule, one, &path)?;
                    if rule.what == What::Script {
                        self.program_files(rule, one, &path)?;
                    }
                }
            }
            Named::Absent(path) if rule.what == What::Dir => self.add_dir(one, &path)?,
            Named::Absent(path) => self.report_absent(rule, &one.file, &one.statement, &path),
            Named::Open => self.is_whole &= rule.what != What::Module,
        }
        Ok(())
    }

    fn add_named(&mut self, rule: &Names, one: &Stated, path: &[u8]) -> Result<(), Error> {
        if rule.what == What::Dir {
            return self.add_dir(one, path);
        }
        let reason = reason(self.profile, &one.file, &one.statement);
        // A file that is not readable for all users is a secret of the builder.
        let is_open = |meta: &Meta| meta.kind == FileKind::Dir || meta.is_for_all();
        if rule.what != What::Told && self.state.world.root.follow(path)?.found().is_none_or(|(_, meta)| is_open(meta))
        {
            return self.configured(path, &Arc::new(reason), self.host.clone());
        }
        let Some((real, meta)) = self.state.world.root.follow(path)?.found().map(|(real, meta)| (real.clone(), *meta))
        else {
            return Ok(());
        };
        let (file, line, name) = (&one.file, one.statement.line, &one.statement.name);
        let end = if meta.kind == FileKind::Dir { "/**" } else { "" };
        let path = show(path);
        let path = path.trim_end_matches('/');
        let says = format!("{file}:{line} names {path} ({name}), which is not packed: --include '{path}{end}' adds it");
        self.demands.push(Demand::Report(Message::Note(Note::new("setting-not-packed", path, says).unless(real))));
        Ok(())
    }

    /// Adds a directory that is written to, or the parent of a file that is, without contents.
    fn add_dir(&mut self, one: &Stated, path: &[u8]) -> Result<(), Error> {
        let parent = || path.iter().rposition(|b| *b == b'/').map_or(&[][..], |at| &path[..at]);
        let dir = if self.state.world.root.follow(path)?.dir().is_some() { path } else { parent() };
        if self.state.world.root.follow(dir)?.dir().is_some_and(|dir| !dir.is_root()) {
            let reason = Arc::new(reason(self.profile, &one.file, &one.statement));
            let (cwd, path) = (RootPath::root(), dir.to_vec());
            self.demands.push(Demand::Path { from: None, cwd, path, reason, host: Host::None });
        }
        Ok(())
    }

    /// Adds a file or directory with the symlinks on the way; ELF files with their dependencies.
    fn configured(&mut self, path: &[u8], reason: &Why, host: Host) -> Result<(), Error> {
        let reason = Arc::clone(reason);
        if let Some(start) = RootPath::new(path) {
            self.demands.push(Demand::Tree { start, reason, without: None, host, by: None });
            return Ok(());
        }
        // `..` must be resolved along the path, so add the real path.
        let real = self.state.world.root.follow(path)?.found().map(|(real, _)| real.clone());
        let Some(start) = real.filter(|real| !self.state.is_excluded(real)) else { return Ok(()) };
        let (cwd, path, again) = (RootPath::root(), path.to_vec(), Arc::clone(&reason));
        self.demands.push(Demand::Path { from: None, cwd, path, reason: again, host: Host::None });
        self.demands.push(Demand::Tree { start, reason, without: None, host, by: None });
        Ok(())
    }

    fn report_absent(&mut self, rule: &Names, file: &RootPath, statement: &Statement, path: &[u8]) {
        if rule.need == Need::Optional || statement.is_conditional || rule.what == What::Told {
            return;
        }
        let says = said(statement);
        let unconfigured =
            Unconfigured { file: file.clone(), line: statement.line, says, path: path.to_vec(), need: rule.need };
        self.demands.push(Demand::Report(Message::Unconfigured(unconfigured)));
    }

    /// Looks up a name in its directories; the first one that contains it is used.
    fn look_up(&self, rule: &Names, file: &RootPath, word: &str) -> Result<Named, Error> {
        let Some(mut name) = plain(word, &self.variables) else { return Ok(Named::Open) };
        if !name.ends_with(&rule.suffix) {
            name.push_str(&rule.suffix);
        }
        let bases = if name.starts_with('/') { vec![Vec::new()] } else { self.bases(rule, file)? };
        let is_pattern = name.contains(['*', '?', '[']) && matches!(rule.what, What::Config | What::File);
        let below = |base: &[u8]| match name.starts_with('/') {
            true => name.clone().into_bytes(),
            false => [base, b"/", name.as_bytes()].concat(),
        };
        for base in &bases {
            let path = below(base);
            if self.state.world.root.follow(&path)?.found().is_some() {
                return Ok(Named::There(vec![path]));
            }
            let base = RootPath::new(if base.is_empty() { b"/" } else { base.as_slice() })
                .map(|base| RootGlob::literal(&base));
            let Ok(glob) = RootGlob::new(&format!("{}/{name}", base.unwrap_or_default())) else { continue };
            let matched = if is_pattern { self.state.world.root.matching(&glob)? } else { Vec::new() };
            if !matched.is_empty() {
                return Ok(Named::There(matched.iter().map(|path| path.as_bytes().to_vec()).collect()));
            }
        }
        if is_pattern {
            return Ok(Named::There(Vec::new()));
        }
        Ok(Named::Absent(bases.first().map_or_else(|| name.clone().into_bytes(), |base| below(base))))
    }

    /// The directories to which a relative name may refer: existing ones, and those given literally.
    fn bases(&self, rule: &Names, file: &RootPath) -> Result<Vec<Vec<u8>>, Error> {
        let mut bases: Vec<Vec<u8>> = Vec::new();
        // A missing directory is where the program would have looked; a finding reports it.
        let mut absent = Vec::new();
        for place in &rule.bases {
            if place.as_str() == Place::NAMING {
                bases.extend(file.parent().map(|dir| dir.as_bytes().to_vec()));
                continue;
            }
            for glob in place.filled(&self.values) {
                let found = self.state.world.root.matching(&glob)?;
                if found.is_empty() && !glob.as_str().contains(['*', '?', '[']) {
                    absent.push(glob.as_str().as_bytes().to_vec());
                }
                bases.extend(found.iter().map(|dir| dir.as_bytes().to_vec()));
            }
        }
        if rule.bases.is_empty() {
            bases.push(Vec::new());
        }
        bases.extend(absent);
        Ok(bases)
    }
}

fn reason(profile: &str, file: &RootPath, statement: &Statement) -> Reason {
    Reason::Configured { profile: profile.to_owned(), file: file.clone(), line: statement.line, says: said(statement) }
}

/// A statement in a form that is safe to show.
fn said(statement: &Statement) -> String {
    const MAX_SHOWN: usize = 120;
    let words = std::iter::once(&statement.name).chain(&statement.words);
    let text = words.map(String::as_str).collect::<Vec<_>>().join(" ");
    show(text.chars().take(MAX_SHOWN).collect::<String>().as_bytes()).into_owned()
}

/// The names that a rule extracts from the words of a statement.
fn picked<'s>(rule: &Names, statement: &'s Statement) -> Vec<&'s str> {
    if let Some(attribute) = &rule.attribute {
        let value = |text: &'s String| text.strip_prefix(attribute.as_str())?.strip_prefix('=');
        return statement.attributes.iter().filter_map(value).collect();
    }
    let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
    let found: Vec<&str> = match (rule.after.is_empty(), rule.paths) {
        (false, _) => {
            words.windows(2).filter(|pair| rule.after.iter().any(|one| one == pair[0])).map(|pair| pair[1]).collect()
        }
        (_, true) => words
            .iter()
            .flat_map(|word| word.split(['(', ',', ')', '=', '"']))
            .filter(|part| part.starts_with('/'))
            .collect(),
        _ => rule.words_of(statement).collect(),
    };
    let found = found.into_iter().filter_map(|name| match &rule.begins {
        Some(text) => name.strip_prefix(text.as_str()),
        None => Some(name),
    });
    let blank = |c: char| rule.split && c.is_whitespace();
    let parts = |name: &'s str| match &rule.between {
        Some(text) => name.split(text.as_str()).filter(|part| !part.is_empty()).collect(),
        None => vec![name],
    };
    let found = found.flat_map(parts).flat_map(|name| name.split(blank)).filter(|name| !name.is_empty() || !rule.split);
    let until = |name: &'s str| {
        rule.until.as_ref().and_then(|end| name.split_once(end.as_str())).map_or(name, |(name, _)| name)
    };
    found.map(until).collect()
}

/// Expands `$NAME`, `${NAME}` and a leading `~` in a word; `None` if a variable is unknown.
fn plain(word: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    let home = word.strip_prefix("~/").map(|rest| Some(format!("{}/{rest}", variables.get("HOME")?)));
    let word = match home {
        Some(expanded) => expanded?,
        None => word.to_owned(),
    };
    let mut parts = word.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => {
                let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
                part.split_at(end)
            }
        };
        whole.push_str(variables.get(name)?);
        whole.push_str(rest);
    }
    Some(whole)
}
