//! The arguments of programs that start the command in them: `env`, `xargs`, `find -exec`, `timeout`, `su-exec`, `tini`
//! and similar.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use super::interpreters::is_interpreter;
use crate::world::tables::{Words, table};

/// All wrappers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Wrappers {
    account: Vec<Account>,
    wrapper: Vec<Wrapper>,
    text: Vec<Text>,
    client: Vec<Client>,
    editor: Vec<Editor>,
}

/// Editors of streams whose scripts start commands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Editor {
    names: Words,
    files: Words,
}

/// Programs that start the shell of an account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Account {
    names: Words,
    text: Words,
    shell: Words,
    valued: Words,
    command: Words,
}

/// Clients whose commands load libraries, read files and start programs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Client {
    names: Words,
    /// Commands that a library follows.
    pub(crate) loads: Vec<String>,
    /// Commands that a file with more commands follows, and options whose value is such a file.
    pub(crate) reads: Vec<String>,
    pub(crate) files: Words,
    /// Commands that a command line for a shell follows.
    pub(crate) runs: Vec<String>,
}

/// What a program starts as an account.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AsAccount<'w> {
    /// The account, if it is not the superuser's.
    pub(crate) user: Option<&'w str>,
    /// The shell, if it is not that of the account.
    pub(crate) shell: Option<&'w str>,
    /// The arguments of the shell.
    pub(crate) args: Vec<String>,
}

/// Arguments with commands of a program that does other things as well.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    names: Words,
    #[serde(default)]
    begins: Vec<String>,
    #[serde(default)]
    options: Words,
    until: Option<String>,
    #[serde(default)]
    shell: bool,
}

/// The syntax of a wrapper (`profiles/tables/wrappers.toml` documents each list).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Wrapper {
    names: Words,
    #[serde(default)]
    after: Words,
    #[serde(default)]
    bins: Vec<String>,
    #[serde(default)]
    by_ending: BTreeMap<String, String>,
    #[serde(default)]
    valued: Words,
    #[serde(default)]
    before: usize,
    #[serde(default)]
    user: bool,
    #[serde(default)]
    user_options: Words,
    #[serde(default)]
    assigns: bool,
    #[serde(default)]
    unset: Words,
    #[serde(default)]
    clear: Words,
    #[serde(default)]
    chdir: Words,
    #[serde(default)]
    shebang: bool,
    #[serde(default)]
    actions: Words,
    #[serde(default)]
    ends: Words,
    #[serde(default)]
    shell: bool,
}

table! {
    /// The table.
    fn wrappers() -> Wrappers = "wrappers"
}

fn wrapper(name: impl AsRef<[u8]>) -> Option<&'static Wrapper> {
    wrappers().wrapper.iter().find(|wrapper| wrapper.names.contain(&name))
}

/// The shell that a program starts with its arguments (su(1), runuser(1)); `None` for other programs, and if it starts a
/// command itself.
pub(crate) fn as_account<'w>(name: &str, words: &'w [String]) -> Option<AsAccount<'w>> {
    let row = wrappers().account.iter().find(|row| row.names.contain(name))?;
    let mut found = AsAccount::default();
    let mut words = words.iter();
    let mut is_named = false;
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), None),
        };
        // Letters without a value may stand before that of the text, as in `-lc`.
        let ends_in = |letters: &Words| {
            let is_last = |one: &str| one.len() == 2 && !option.starts_with("--") && option.ends_with(&one[1..]);
            option.starts_with('-') && letters.iter().any(|one| one == option || is_last(one))
        };
        let mut value = || value.or_else(|| words.next().map(String::as_str)).unwrap_or_default();
        if row.command.contain(option) {
            return None;
        } else if ends_in(&row.text) {
            found.args.extend(["-c".to_owned(), value().to_owned()]);
        } else if row.shell.contain(option) {
            found.shell = Some(value());
        } else if row.valued.contain(option) {
            value();
        } else if !word.starts_with('-') || is_named {
            if is_named {
                found.args.push(word.clone());
            } else {
                found.user = Some(word);
            }
            is_named = true;
        }
    }
    Some(found)
}

/// The options that name scripts, of an editor of streams.
pub(crate) fn edits_streams(name: &str) -> Option<&'static Words> {
    wrappers().editor.iter().find(|row| row.names.contain(name)).map(|row| &row.files)
}

/// The syntax of the commands of a client.
pub(crate) fn client(name: &str) -> Option<&'static Client> {
    wrappers().client.iter().find(|row| row.names.contain(name))
}

/// The command lines in some arguments of a program, each with true if a shell runs it.
pub(crate) fn texts(name: &str, words: &[String]) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for row in wrappers().text.iter().filter(|row| row.names.contain(name)) {
        for (at, word) in words.iter().enumerate() {
            let begun = row.begins.iter().find_map(|start| word.strip_prefix(start.as_str()));
            let next = || words.get(at + 1).filter(|_| row.options.contain(word)).map(String::as_str);
            let Some(text) = begun.or_else(next) else { continue };
            let text = row.until.as_ref().and_then(|end| text.split_once(end.as_str())).map_or(text, |(text, _)| text);
            found.push((text.trim_matches(['"', '\'']).to_owned(), row.shell));
        }
    }
    found
}

/// True for a wrapper whose command is a text for a shell.
pub(crate) fn joins(name: &str) -> bool {
    wrapper(name).is_some_and(|wrapper| wrapper.shell)
}

/// True for a program that only starts others: an interpreter or a wrapper.
pub fn runs_others(name: &str) -> bool {
    wrapper(name).is_some() || is_interpreter(name)
}

/// True for a wrapper that may be a script itself, such as a manager of virtual environments.
pub(crate) fn is_scripted(name: &str) -> bool {
    wrapper(name).is_some_and(|wrapper| !wrapper.bins.is_empty())
}

/// True for a program by which `#!` lines look up interpreters.
pub fn looks_up_interpreters(name: &[u8]) -> bool {
    wrapper(name).is_some_and(|wrapper| wrapper.shebang)
}

/// The user as which a wrapper runs its command from then on.
pub fn user<'w>(name: &str, words: &'w [String]) -> Option<&'w str> {
    let wrapper = wrapper(name)?;
    let command = inner(name, words).into_iter().next()?.words.start;
    let before = words.get(..command)?;
    let is_option = |word: &str| wrapper.user_options.contain(word);
    let mut values = before.iter().zip(before.get(1..).unwrap_or_default());
    let value = values.find(|(option, _)| is_option(option)).map(|(_, value)| value.as_str());
    let joined = || before.iter().find_map(|word| word.split_once('=').filter(|(option, _)| is_option(option)));
    let plain = || before.iter().find(|word| !word.starts_with('-')).filter(|_| wrapper.user).map(String::as_str);
    value.or_else(|| joined().map(|(_, value)| value)).or_else(plain)
}

/// A command in the arguments of a wrapper, and the changes that the wrapper makes for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inner {
    /// The range of arguments that is the command.
    pub(crate) words: Range<usize>,
    /// Variables that the wrapper sets.
    set: Vec<(String, String)>,
    /// Variables that the wrapper removes.
    unset: Vec<String>,
    /// True if the wrapper clears the environment first.
    is_cleared: bool,
    /// The working directory of the command, if the wrapper changes it.
    pub(crate) chdir: Option<String>,
    /// Patterns of directories, from the working directory on, in which the wrapper looks for the command first.
    pub(crate) bins: &'static [String],
    /// Programs that run commands whose names have these endings.
    by_ending: Option<&'static BTreeMap<String, String>>,
}

impl Inner {
    fn plain(words: Range<usize>) -> Self {
        Self { words, set: Vec::new(), unset: Vec::new(), is_cleared: false, chdir: None, bins: &[], by_ending: None }
    }

    /// The program that the wrapper runs this command with.
    pub(crate) fn interpreter(&self, command: &str) -> Option<&'static str> {
        let mut rows = self.by_ending.into_iter().flatten();
        rows.find(|(ending, _)| command.ends_with(ending.as_str())).map(|(_, program)| program.as_str())
    }

    /// The environment of the command.
    pub(crate) fn env(&self, own: &BTreeMap<String, String>, path: &str) -> BTreeMap<String, String> {
        let mut env = if self.is_cleared { BTreeMap::new() } else { own.clone() };
        env.retain(|name, _| !self.unset.contains(name));
        env.extend(self.set.iter().cloned());
        // `env - PATH=$PATH x`: what a script takes from its environment is empty here.
        if let Some(value) = env.get_mut("PATH")
            && (value.is_empty() || value.starts_with(':') || value.ends_with(':'))
        {
            let known = value.trim_matches(':');
            *value = if known.is_empty() { path.to_owned() } else { format!("{known}:{path}") };
        }
        env
    }
}

/// True for a wrapper that does nothing but start a command.
pub(crate) fn always_starts(name: &str) -> bool {
    wrapper(name).is_some_and(|wrapper| wrapper.actions.is_empty() && wrapper.after.is_empty())
}

/// True for a program that starts the command in its arguments.
pub(crate) fn is_wrapper(name: &str) -> bool {
    wrapper(name).is_some()
}

/// The commands in the arguments of a wrapper; empty if there are none.
pub(crate) fn inner(name: &str, words: &[String]) -> Vec<Inner> {
    let Some(wrapper) = wrapper(name) else { return Vec::new() };
    if !wrapper.actions.is_empty() {
        let starts = words.iter().enumerate().filter(|(_, word)| wrapper.actions.contain(word));
        let end = |from: usize| {
            words[from..].iter().position(|word| wrapper.ends.contain(word)).map_or(words.len(), |end| from + end)
        };
        let ranges = starts.map(|(at, _)| at + 1..end(at + 1)).filter(|range| !range.is_empty());
        return ranges.map(Inner::plain).collect();
    }
    let mut inner = Inner { bins: &wrapper.bins, by_ending: Some(&wrapper.by_ending), ..Inner::plain(0..0) };
    // A sub-command stands before the options that count.
    let start = match wrapper.after.is_empty() {
        true => Some(0),
        false => words.iter().position(|word| wrapper.after.contain(word)).map(|at| at + 1),
    };
    let Some(start) = start else { return Vec::new() };
    let (mut at, mut before) = (start, wrapper.before);
    while let Some(word) = words.get(at) {
        if word == "--" && before == wrapper.before {
            at += 1;
            continue;
        }
        match word {
            word if wrapper.valued.contain(word) => {
                let value = words.get(at + 1).cloned();
                if wrapper.unset.contain(word) {
                    inner.unset.extend(value);
                } else if wrapper.chdir.contain(word) {
                    inner.chdir = value;
                }
                at += 2;
            }
            word if word.starts_with('-') => {
                match word.split_once('=').filter(|(name, _)| name.starts_with("--")) {
                    Some((name, value)) if wrapper.unset.contain(name) => inner.unset.push(value.to_owned()),
                    Some((name, value)) if wrapper.chdir.contain(name) => inner.chdir = Some(value.to_owned()),
                    _ => inner.is_cleared |= wrapper.clear.contain(word),
                }
                at += 1;
            }
            word if wrapper.assigns && word.contains('=') => {
                inner.set.extend(word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
                at += 1;
            }
            _ if before > 0 => {
                before -= 1;
                at += 1;
            }
            _ => return vec![Inner { words: at..words.len(), ..inner }],
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_behind_options() {
        let found = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let inner = inner(&words[0], &words[1..]).into_iter().map(|inner| words[1..][inner.words].join(" "));
            inner.collect::<Vec<_>>().join(" / ")
        };
        assert_eq!(found("env -i A=1 -u B python3 -m x"), "python3 -m x");
        assert_eq!(found("timeout -k 5 10s curl -f x"), "curl -f x");
        assert_eq!(found("su-exec redis:redis redis-server --port 1"), "redis-server --port 1");
        assert_eq!(found("tini -g -- gunicorn a:b"), "gunicorn a:b");
        assert_eq!(found("xargs -0 -n 1 rm -f"), "rm -f");
        assert_eq!(found("find . -name x -exec chown a {} + -exec ls {} ;"), "chown a {} / ls {}");
        assert_eq!(found("cat -- x"), "");
        assert_eq!(found("env -C /srv A=b ./run"), "./run");
        assert_eq!(found("uv --quiet run --no-sync -p 3.12 gunicorn a:b"), "gunicorn a:b");
        assert_eq!(found("poetry install"), "");
    }

    #[test]
    fn a_change_of_user_is_seen() {
        let found = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            user(&words[0], &words[1..]).map(str::to_owned)
        };
        assert_eq!(found("gosu postgres postgres -p 1").as_deref(), Some("postgres"));
        assert_eq!(found("su-exec redis:redis redis-server").as_deref(), Some("redis:redis"));
        assert_eq!(found("setpriv --reuid=app --clear-groups run").as_deref(), Some("app"));
        assert_eq!(found("setpriv --clear-groups --reuid app run").as_deref(), Some("app"));
        assert_eq!(found("chpst -u www:www -e env run").as_deref(), Some("www:www"));
        assert_eq!(found("timeout 5 run"), None);
        assert_eq!(found("env -u A run"), None);
    }

    #[test]
    fn env_changes_the_environment_of_its_command() {
        let words: Vec<String> = ["-u", "A", "B=1", "run"].map(str::to_owned).to_vec();
        let own = ["A", "C"].map(|name| (name.to_owned(), "0".to_owned())).into();
        let env = inner("env", &words).remove(0).env(&own, "/bin");
        let shown: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["B=1", "C=0"]);
        let words: Vec<String> = ["-i", "B=1", "run"].map(str::to_owned).to_vec();
        assert_eq!(inner("env", &words).remove(0).env(&own, "/bin").len(), 1);
    }
}
