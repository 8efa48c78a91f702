//! The sources of an application or of an installed package. Only sources are parsed in whose text a quick search finds
//! a call of interest, and sources that pass names to these.

use std::collections::BTreeSet;

use memchr::memmem::{find, find_iter};

use super::evaluate::{Evaluator, Found, Rules};
use super::{Module, stem};
use crate::language::source::literals::{Literal, line};
use crate::path::RootPath;

/// Maximum size of a source that is parsed, of the sources of a group, and maximum number of parsed sources.
const MAX_PARSED: usize = 1 << 20;
const MAX_GROUP: usize = 64 << 20;
const MAX_MODULES: usize = 400;
/// Maximum number of times that further sources are requested.
const MAX_ROUNDS: usize = 2;
/// Maximum length of a command in front of its option.
const MAX_COMMAND: usize = 64;
/// Maximum number of functions whose callers are looked for.
const MAX_CALLERS: usize = 48;

/// Note on a source that is too large to be parsed.
pub(crate) const UNPARSED: &str = "it was not parsed, because it is too large or one of too many: literal names in it \
                                   are found, computed ones are not";

/// The sources of a group.
#[derive(Default)]
pub(crate) struct Files {
    files: Vec<(RootPath, Vec<u8>)>,
    /// Indices of sources with a call of interest.
    begin: Vec<usize>,
    bytes: usize,
}

impl Files {
    /// Adds a source, which `matters` if its text has a call of interest. Returns the text if it is too large to be
    /// parsed.
    pub(crate) fn add(&mut self, path: &RootPath, text: Vec<u8>, matters: bool) -> Option<Vec<u8>> {
        let is_full = self.bytes + text.len() > MAX_GROUP || matters && self.begin.len() >= MAX_MODULES;
        if text.len() > MAX_PARSED || is_full {
            return Some(text);
        }
        if matters {
            self.begin.push(self.files.len());
        }
        self.bytes += text.len();
        self.files.push((path.clone(), text));
        None
    }

    /// Passes on literals that are a command with an option: `"mkdir -p "`, `["rm", "-f"]`.
    pub(crate) fn command_lines(&self, found: &mut dyn FnMut(&RootPath, Literal)) {
        for (path, text) in &self.files {
            for at in find_iter(text, b"-") {
                if let Some(command) = command_before(&text[..at]) {
                    found(path, Literal::plain(command, line(text, at)));
                }
            }
        }
    }

    /// Passes on the calls that are of interest.
    pub(crate) fn calls(
        &self,
        parse: fn(&RootPath, &str) -> Module,
        rules: Rules,
        is_sink: &dyn Fn(&str) -> bool,
        found: &mut dyn FnMut(Found<'_>),
    ) {
        let (mut modules, mut known) = (Vec::new(), BTreeSet::new());
        let mut next: Vec<usize> = self.begin.clone();
        for round in 0..=MAX_ROUNDS {
            for at in next.drain(..) {
                if modules.len() < 2 * MAX_MODULES && known.insert(at) {
                    let (path, text) = &self.files[at];
                    modules.push(parse(path, &String::from_utf8_lossy(text)));
                }
            }
            if modules.is_empty() {
                return;
            }
            let evaluator = Evaluator::new(&modules, rules);
            if round == MAX_ROUNDS {
                return evaluator.calls(is_sink, found);
            }
            evaluator.calls(is_sink, &mut |_| {});
            let wanted = evaluator.wanted.into_inner();
            let callers: Vec<(String, &str)> =
                wanted.callers.iter().take(MAX_CALLERS).map(|(stem, name)| (name.clone(), stem.as_str())).collect();
            let is_wanted = |path: &RootPath, text: &[u8]| {
                // A function may also be given to another one: `submit(name, …)`.
                let is_call = |name: &str, at: usize| matches!(text.get(at + name.len()), Some(b'(' | b',' | b')'));
                let calls = |(name, stem): &(String, &str)| {
                    find_iter(text, name.as_bytes()).any(|at| is_call(name, at))
                        && find(text, stem.as_bytes()).is_some()
                };
                // A setting is assigned at the beginning of a line, or of one in the body of a class.
                let sets = |name: &String| {
                    let is_start = |at: usize| matches!(text[..at].last(), None | Some(b'\n' | b' '));
                    let after = |at: usize| text[at + name.len()..].trim_ascii_start().first();
                    find_iter(text, name.as_bytes()).any(|at| is_start(at) && matches!(after(at), Some(b'=' | b':')))
                };
                wanted.settings.iter().take(MAX_CALLERS).any(sets)
                    || wanted.modules.contains(&stem(path))
                    || callers.iter().any(calls)
            };
            let more = self.files.iter().enumerate().filter(|(at, _)| !known.contains(at));
            next = more.filter(|(_, (path, text))| is_wanted(path, text)).map(|(at, _)| at).collect();
            if next.is_empty() {
                return Evaluator::new(&modules, rules).calls(is_sink, found);
            }
        }
    }
}

/// The command before its first option: a word behind a quote, and a blank or the end of an item of a list.
fn command_before(text: &[u8]) -> Option<&str> {
    let text = &text[text.len().saturating_sub(MAX_COMMAND)..];
    let before = match text.strip_suffix(b" ") {
        Some(before) => before,
        None => {
            let item = text.strip_suffix(b"'").or_else(|| text.strip_suffix(b"\""))?;
            let item = item.strip_suffix(b"u").unwrap_or(item).trim_ascii_end().strip_suffix(b",")?;
            item.strip_suffix(b"'").or_else(|| item.strip_suffix(b"\""))?
        }
    };
    let is_part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-+".contains(byte);
    let start = before.iter().rposition(|byte| !is_part(byte))?;
    let is_quoted = b"\"'".contains(&before[start]) && start > 0 && before[start - 1] != before[start];
    std::str::from_utf8(&before[start + 1..]).ok().filter(|name| is_quoted && name.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::command_before;

    #[test]
    fn commands_stand_before_their_options() {
        let found = |text: &str| command_before(text.as_bytes()).map(str::to_owned);
        assert_eq!(found("cmd = 'mkdir "), Some("mkdir".to_owned()));
        assert_eq!(found("cmd = ['rm', u'"), Some("rm".to_owned()));
        assert_eq!(found("cmd = [\"rm\", \""), Some("rm".to_owned()));
        assert_eq!(found("x = 'umask 77 && mkdir "), None);
        assert_eq!(found("\"\"\"rm "), None);
        assert_eq!(found("a "), None);
    }
}
