//! The arguments of programs that start the command in them: `env`, `xargs`, `find -exec`, `timeout`, `su-exec`, `tini`
//! and similar.

use std::collections::BTreeMap;
use std::ops::Range;

/// The syntax of a wrapper: its options that take a value in the next argument, and the number of arguments before the
/// command.
struct Wrapper {
    names: &'static [&'static str],
    with_word: &'static [&'static str],
    before: usize,
}

/// Wrappers, after their man pages (env(1), xargs(1), setpriv(1), …).
const WRAPPERS: &[Wrapper] = &[
    Wrapper { names: &["env"], with_word: &["-u", "--unset", "-C", "--chdir"], before: 0 },
    Wrapper { names: &["nohup", "setsid", "catchsegv", "fakeroot", "chronic"], with_word: &[], before: 0 },
    Wrapper { names: &["nice"], with_word: &["-n", "--adjustment"], before: 0 },
    Wrapper { names: &["ionice"], with_word: &["-c", "-n", "--class", "--classdata"], before: 0 },
    Wrapper { names: &["timeout"], with_word: &["-k", "-s", "--kill-after", "--signal"], before: 1 },
    Wrapper { names: &["stdbuf"], with_word: &["-i", "-o", "-e"], before: 0 },
    Wrapper { names: &["time"], with_word: &["-f", "-o"], before: 0 },
    Wrapper { names: &["sudo", "doas"], with_word: &["-u", "-g", "-C", "-D", "-h", "-p", "-R", "-T"], before: 0 },
    Wrapper { names: &["su-exec", "gosu", "s6-setuidgid", "setuidgid"], with_word: &[], before: 1 },
    Wrapper { names: &["chroot"], with_word: &[], before: 1 },
    Wrapper { names: &["chpst"], with_word: &["-u", "-U", "-b", "-e", "-/", "-n", "-l", "-L", "-m"], before: 0 },
    Wrapper { names: &["runuser"], with_word: &["-u", "-g", "-G", "-s"], before: 0 },
    Wrapper { names: &["setpriv"], with_word: &["--reuid", "--regid", "--groups"], before: 0 },
    Wrapper { names: &["tini", "tini-static", "docker-init"], with_word: &["-p", "-e"], before: 0 },
    Wrapper { names: &["dumb-init", "catatonit"], with_word: &["-r", "--rewrite"], before: 0 },
    Wrapper { names: &["flock"], with_word: &["-w", "-E", "--timeout"], before: 1 },
    Wrapper {
        names: &["xargs"],
        with_word: &["-a", "-d", "-E", "-I", "-L", "-n", "-P", "-s", "--delimiter", "--max-args", "--max-procs"],
        before: 0,
    },
];
/// Actions of `find` that are followed by a command (find(1)).
const ACTIONS: [&str; 4] = ["-exec", "-execdir", "-ok", "-okdir"];

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
}

impl Inner {
    fn plain(words: Range<usize>) -> Self {
        Self { words, set: Vec::new(), unset: Vec::new(), is_cleared: false, chdir: None }
    }

    /// The environment of the command.
    pub(crate) fn env(&self, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut env = if self.is_cleared { BTreeMap::new() } else { own.clone() };
        env.retain(|name, _| !self.unset.contains(name));
        env.extend(self.set.iter().cloned());
        env
    }
}

/// The commands in the arguments of a wrapper; empty if there are none.
pub(crate) fn inner(name: &str, words: &[String]) -> Vec<Inner> {
    if name == "find" {
        let starts = words.iter().enumerate().filter(|(_, word)| ACTIONS.contains(&word.as_str()));
        let end = |from: usize| {
            words[from..].iter().position(|word| word == ";" || word == "+").map_or(words.len(), |end| from + end)
        };
        let ranges = starts.map(|(at, _)| at + 1..end(at + 1)).filter(|range| !range.is_empty());
        return ranges.map(Inner::plain).collect();
    }
    let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name)) else { return Vec::new() };
    let is_env = name == "env";
    let mut inner = Inner::plain(0..0);
    let (mut at, mut before) = (0, wrapper.before);
    while let Some(word) = words.get(at) {
        let is_assignment = is_env || name == "sudo";
        if word == "--" && before == wrapper.before {
            at += 1;
            continue;
        }
        match word {
            word if wrapper.with_word.contains(&word.as_str()) => {
                let value = words.get(at + 1).cloned();
                match word.as_str() {
                    "-u" | "--unset" if is_env => inner.unset.extend(value),
                    "-C" | "--chdir" if is_env => inner.chdir = value,
                    _ => {}
                }
                at += 2;
            }
            word if word.starts_with('-') => {
                match word.split_once('=') {
                    Some(("--unset", value)) if is_env => inner.unset.push(value.to_owned()),
                    Some(("--chdir", value)) if is_env => inner.chdir = Some(value.to_owned()),
                    _ => inner.is_cleared |= is_env && matches!(word.as_str(), "-i" | "-" | "--ignore-environment"),
                }
                at += 1;
            }
            word if is_assignment && word.contains('=') => {
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
    }

    #[test]
    fn env_changes_the_environment_of_its_command() {
        let words: Vec<String> = ["-u", "A", "B=1", "run"].map(str::to_owned).to_vec();
        let own = ["A", "C"].map(|name| (name.to_owned(), "0".to_owned())).into();
        let env = inner("env", &words).remove(0).env(&own);
        let shown: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["B=1", "C=0"]);
        let words: Vec<String> = ["-i", "B=1", "run"].map(str::to_owned).to_vec();
        assert_eq!(inner("env", &words).remove(0).env(&own).len(), 1);
    }
}
