//! Command lines in configuration files that the program starts: supervisors, schedulers, super-servers.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Named, Reading, Stated, reason};
use crate::closure::demand::{Demand, Start};
use crate::closure::launch::LaunchId;
use crate::closure::message::{Message, Note};
use crate::closure::path_of;
use crate::config::{after, arguments, joined};
use crate::error::Error;
use crate::language::{Certainty, system_shell};
use crate::path::RootPath;
use crate::profile::{CommandLine, Names, What};
use crate::world::program_in_path;
use crate::world::tables::system;

impl Reading<'_, '_> {
    /// Starts the command line of a statement, in the environment of the program that reads the file.
    pub(super) fn launch(&mut self, rule: &Names, one: &Stated, all: &[Stated]) -> Result<(), Error> {
        let how = &rule.launch;
        if how.packed && self.is_foreign(one)? {
            return Ok(());
        }
        let starter = self.state.configured_launches(self.by).next();
        let (mut cwd, mut env) = match starter.map(|id| &self.state.launches.get(id).launch) {
            Some(launch) => (launch.cwd.clone(), (*launch.env).clone()),
            None => (self.state.request.conditions().cwd, self.state.request.env.clone()),
        };
        let beside = |key: &Option<String>| {
            let key = key.as_ref()?;
            let is_key = |other: &&Stated| {
                let same_place = other.file == one.file && other.statement.section == one.statement.section;
                key.eq_ignore_ascii_case(&other.statement.name) && same_place
            };
            all.iter().filter(is_key).map(|other| other.statement.text.as_str()).next_back()
        };
        env.extend(self.defined.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(text) = beside(&how.env) {
            env.extend(assignments(text, &self.variables));
        }
        let dir = match how.cwd.as_deref() {
            Some(".") => one.file.parent(),
            Some(_) => beside(&how.cwd)
                .map(|text| interpolated(unquoted(text), &self.variables))
                .and_then(|text| self.state.world.root.follow_from(&cwd, text.as_bytes()).ok()?.dir().cloned()),
            None => None,
        };
        cwd = dir.unwrap_or(cwd);
        // Grammars of command lines keep the text; in others the line is one argument of the statement.
        let is_whole = rule.after.is_empty() && rule.until.is_none() && rule.attribute.is_none();
        let is_plain = is_whole && rule.word == 1 && how.prefix.is_none();
        let rest = how.rest.then(|| one.statement.words.get(rule.word.max(1) - 1..).unwrap_or_default());
        let rest = rest.and_then(joined);
        let picked = match &rest {
            Some(line) => vec![line.as_str()],
            None if is_plain && !one.statement.text.is_empty() => vec![after(&one.statement.text, how.skip)],
            // Commas do not end a command line.
            None if is_whole && rule.word == 1 && !one.statement.text.is_empty() => vec![unquoted(&one.statement.text)],
            None => super::picked(rule, &one.statement),
        };
        let more = beside(&how.arguments).map(|text| format!(" {text}")).unwrap_or_default();
        let env = Rc::new(env);
        if rule.what == What::Programs {
            for program in self.programs(rule, one, &picked)? {
                self.start(one, starter, vec![program.to_string()], (&cwd, &env));
            }
            return Ok(());
        }
        for text in picked.into_iter().filter(|text| !rule.except.iter().any(|except| except == text)) {
            let text = match &how.prefix {
                Some(prefix) => match text.strip_prefix(prefix.as_str()) {
                    Some(text) => text,
                    None => continue,
                },
                None => text,
            };
            if rule.paths && !self.is_executable(text.split_whitespace().next().unwrap_or_default())? {
                continue;
            }
            let line = placed(&format!("{text}{more}"), one);
            let line = interpolated(&line, &self.variables);
            let Some(mut words) = words(how, &line, &env) else { continue };
            // Without an interpreter of its own, the program embeds one and reads the same words.
            if let Some(first) = how.before.first()
                && let Some(launch) = starter.map(|id| &self.state.launches.get(id).launch)
                && program_in_path(self.state.world.root, path_of(&env), first)?.is_none()
            {
                words[0] = launch.program.to_string();
            }
            self.start(one, starter, words, (&cwd, &env));
        }
        Ok(())
    }

    /// True if the file of a statement belongs to a package that nothing else adds. Reports such a file.
    fn is_foreign(&mut self, one: &Stated) -> Result<bool, Error> {
        let followed = self.state.world.root.follow(one.file.as_bytes())?;
        let owner = followed.file().map_or(Ok(None), |(real, _)| self.state.world.owner(real))?;
        let Some(owner) = owner.filter(|owner| !self.state.brought_names.contains(owner)) else { return Ok(false) };
        let says = format!(
            "{} starts commands and belongs to the package {owner}, of which nothing else is packed, so the commands \
             are not packed; --package {owner} adds them",
            one.file
        );
        let mut note = Note::new("setting-not-packed", one.file.to_string(), says);
        note.slot = Some(format!("{} starts", one.file));
        let (contents, commands) = (self.state.world.contents(&owner)?, &system().commands);
        note.unless = contents.iter().find(|path| commands.cover(path) && !commands.contain(path)).cloned();
        self.demands.push(Demand::Report(Message::Note(note)));
        Ok(true)
    }

    fn start(
        &mut self,
        one: &Stated,
        starter: Option<LaunchId>,
        words: Vec<String>,
        (cwd, env): (&RootPath, &Rc<BTreeMap<String, String>>),
    ) {
        self.demands.push(Demand::Start(Start {
            starter,
            from: Some(one.file.clone()),
            certainty: Certainty::Sure,
            tells_missing: true,
            ..Start::likely(words, (cwd, env), reason(self.profile, &one.file, &one.statement))
        }));
    }

    /// The programs in directories.
    fn programs(&self, rule: &Names, one: &Stated, names: &[&str]) -> Result<Vec<RootPath>, Error> {
        let root = self.state.world.root;
        let mut found = Vec::new();
        for name in names {
            let Named::There(paths) = self.look_up(rule, &one.file, name)? else { continue };
            for path in paths {
                let Some(dir) = RootPath::new(&path) else { continue };
                let inside = match root.follow(&path)?.dir().cloned() {
                    Some(real) => root.list(&real)?.iter().map(|name| dir.join(name)).collect(),
                    None => vec![dir],
                };
                for path in inside {
                    if self.is_executable(&path.to_string())? {
                        found.push(path);
                    }
                }
            }
        }
        Ok(found)
    }

    fn is_executable(&self, path: &str) -> Result<bool, Error> {
        const EXECUTABLE: u32 = 0o111;
        let followed = self.state.world.root.follow(path.as_bytes())?;
        Ok(followed.file().is_some_and(|(_, meta)| meta.mode & EXECUTABLE != 0))
    }

    /// The environment for launches of this file.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        self.defined.insert(name.to_owned(), value.to_owned());
    }
}

/// The arguments of execve(2); `None` if there is no command.
fn words(how: &CommandLine, line: &str, env: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    if how.shell {
        let shell = env
            .get("SHELL")
            .filter(|shell| shell.starts_with('/'))
            .map_or_else(|| system_shell(), |shell| shell.as_str());
        return Some(vec![shell.to_owned(), "-c".to_owned(), line.to_owned()]);
    }
    let mut all: Vec<String> = arguments(line);
    let ending = |word: &String| how.by_ending.iter().find(|(ending, _)| word.ends_with(ending.as_str()));
    let before = match all.first().and_then(ending) {
        Some((_, interpreter)) => vec![interpreter.clone()],
        None => how.before.clone(),
    };
    all.splice(..0, before);
    // Flags of systemd, s6 and supervisors stand before the program.
    if let Some(first) = all.first_mut() {
        *first = first.trim_start_matches(['@', '-', ':', '+', '!']).to_owned();
    }
    all.first().is_some_and(|first| !first.is_empty()).then_some(all)
}

/// `A="b",C=d` or `A=b C=d`.
fn assignments(text: &str, variables: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let words = arguments(&text.replace(',', " "));
    let split = words.iter().filter_map(|word| word.split_once('='));
    split.map(|(name, value)| (name.to_owned(), interpolated(value, variables))).collect()
}

/// `%(here)s`, the directory of the file, and `%(program_name)s`, the name in `[program:NAME]` (supervisord).
fn placed(text: &str, one: &Stated) -> String {
    let name = one.statement.section.rsplit(':').next().unwrap_or_default();
    beside(text, &one.file).replace("%(program_name)s", name).replace("%(group_name)s", name)
}

/// `%(here)s`, the directory of a file.
fn beside(text: &str, file: &RootPath) -> String {
    let dir = file.parent().filter(|dir| !dir.is_root()).map_or_else(String::new, |dir| dir.to_string());
    text.replace("%(here)s", &dir)
}

/// A pattern of files to include. The name of the machine is not known before it runs.
pub(super) fn included(text: &str, file: &RootPath, variables: &BTreeMap<String, String>) -> String {
    interpolated(&beside(text, file).replace("%(host_node_name)s", "*"), variables)
}

/// `%(ENV_NAME)s` and `%%` (supervisord, Python's configparser), as far as the variables are known.
fn interpolated(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut parts = text.split("%(ENV_");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(")s").and_then(|(name, rest)| Some((variables.get(name)?, rest))) {
            Some((value, rest)) => whole.extend([value, rest]),
            None => whole.extend(["%(ENV_", part]),
        }
    }
    whole.replace("%%", "%")
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_become_arguments() {
        let env = BTreeMap::from([("SHELL".to_owned(), "/bin/bash".to_owned())]);
        let plain = |line: &str| words(&CommandLine::default(), line, &env);
        assert_eq!(
            plain("-/usr/bin/x \"a b\" c"),
            Some(vec!["/usr/bin/x".to_owned(), "a b".to_owned(), "c".to_owned()])
        );
        assert_eq!(plain("  "), None);
        let shell = CommandLine { shell: true, ..CommandLine::default() };
        let run = words(&shell, "cd / && x", &env).expect("a command");
        assert_eq!(run, ["/bin/bash", "-c", "cd / && x"]);
    }

    #[test]
    fn variables_are_filled_in() {
        let known = BTreeMap::from([("HOME".to_owned(), "/srv".to_owned())]);
        assert_eq!(interpolated("%(ENV_HOME)s/x 100%% %(ENV_NO)s", &known), "/srv/x 100% %(ENV_NO)s");
        let set = assignments("A=\"b c\",B=%(ENV_HOME)s", &known);
        assert_eq!(set, [("A".to_owned(), "b c".to_owned()), ("B".to_owned(), "/srv".to_owned())]);
    }
}
