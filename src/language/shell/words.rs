//! Values of a script's variables, and the expansion of words. A variable has every value that the script assigns to
//! it; an unknown value is recorded as unknown.

use std::collections::BTreeMap;

use super::tree::{Part, Word};
use crate::language::Memory;
use crate::root::Root;

/// Maximum number of values per variable, and of expansions per word.
const MAX_VALUES: usize = 64;

/// Variables known at some point of a script.
#[derive(Clone, Default)]
pub(super) struct Known<'a> {
    /// The file system, for patterns and searches.
    pub(super) root: Option<&'a Root>,
    /// The machine, as uname(1) prints it.
    pub(super) machine: Option<String>,
    /// Substitutions that were parsed before.
    pub(super) memory: Option<&'a Memory>,
    /// Values by variable; `None` stands for an unknown value.
    values: BTreeMap<String, Vec<Option<String>>>,
    /// Words of arrays, and the script's own arguments as `@`.
    lists: BTreeMap<String, Vec<Vec<String>>>,
}

/// The expansions of a word.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// The values.
    pub(super) known: Vec<String>,
    /// The first part whose value is unknown.
    pub(super) unknown: Option<String>,
}

impl<'a> Known<'a> {
    /// No variable, in a root and on a machine.
    pub(super) fn of(root: &'a Root, machine: Option<String>, memory: &'a Memory) -> Self {
        Self { root: Some(root), machine, memory: Some(memory), ..Self::default() }
    }

    /// Adds a value to a variable.
    pub(super) fn add(&mut self, name: &str, value: Option<String>) {
        let values = self.values.entry(name.to_owned()).or_default();
        if values.len() < MAX_VALUES && !values.contains(&value) {
            values.push(value);
        }
    }

    /// Replaces the values of a variable with one.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), vec![Some(value)]);
    }

    /// The value assigned last, if it is known.
    pub(super) fn last(&self, name: &str) -> Option<String> {
        self.values.get(name)?.last()?.clone()
    }

    /// Replaces the values of a variable with an unknown one.
    pub(super) fn forget(&mut self, name: &str) {
        self.values.insert(name.to_owned(), vec![None]);
    }

    /// Adds a possible list of words to an array or to the arguments.
    pub(super) fn add_list(&mut self, name: &str, words: Vec<String>) {
        let lists = self.lists.entry(name.to_owned()).or_default();
        if lists.len() < MAX_VALUES && !lists.contains(&words) {
            lists.push(words);
        }
    }

    /// Appends words to every possible list of an array.
    pub(super) fn extend_lists(&mut self, name: &str, words: &[String]) {
        for list in self.lists.entry(name.to_owned()).or_default() {
            list.extend_from_slice(words);
        }
    }

    /// The possible lists of words of an array or of the arguments.
    pub(super) fn lists(&self, name: &str) -> &[Vec<String>] {
        self.lists.get(name).map_or(&[], Vec::as_slice)
    }

    /// All expansions of a word; a variable that is never set counts as unknown.
    pub(super) fn values(&self, word: &Word) -> Values {
        // Most words have no expansion.
        if let [Part::Text(text)] = word.parts.as_slice() {
            return Values { known: vec![text.clone()], unknown: None };
        }
        let mut all = Values { known: vec![String::new()], unknown: None };
        for part in &word.parts {
            let mut next = match part {
                Part::Text(text) => vec![text.clone()],
                Part::Variable(name, default) => {
                    let mut found = Vec::new();
                    for value in self.values.get(name).into_iter().flatten() {
                        match value {
                            Some(value) => found.push(value.clone()),
                            None => all.unknown = all.unknown.take().or(Some(format!("${name}"))),
                        }
                    }
                    if let Some(default) = default {
                        found.extend(self.values(default).known);
                    } else if found.is_empty() && !self.values.contains_key(name) {
                        all.unknown = all.unknown.take().or(Some(format!("${name}")));
                    }
                    found
                }
                Part::Output(text) | Part::Other(text) => {
                    let found = if matches!(part, Part::Output(_)) { self.output(text) } else { self.cut(text) };
                    if found.is_empty() {
                        all.unknown = all.unknown.take().or(Some(text.clone()));
                    }
                    found
                }
            };
            next.dedup();
            if let [end] = next.as_slice() {
                all.known.iter_mut().for_each(|start| start.push_str(end));
                continue;
            }
            let starts = std::mem::take(&mut all.known);
            all.known = starts.iter().flat_map(|start| next.iter().map(move |end| format!("{start}{end}"))).collect();
            all.known.truncate(MAX_VALUES);
        }
        all
    }

    /// A single expansion of a word, for arguments and variables: the first value of each part, nothing for an unknown
    /// one.
    pub(super) fn one(&self, word: &Word) -> String {
        let part = |part: &Part| {
            match part {
                Part::Text(text) => return text.clone(),
                Part::Variable(name, None) => {
                    let first = self.values.get(name).and_then(|values| values.iter().flatten().next());
                    return first.cloned().unwrap_or_default();
                }
                // A pattern that matches no file stays as it is, for the program to interpret.
                Part::Other(text) if !text.starts_with(['$', '`']) => return text.clone(),
                _ => {}
            }
            let known = self.values(&Word { parts: vec![part.clone()], is_quoted: true }).known;
            known.into_iter().next().unwrap_or_default()
        };
        word.parts.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Step, parse};
    use super::*;

    #[test]
    fn words_come_to_every_value_that_is_known() {
        let mut known = Known::default();
        known.add("0", Some("/app/run.sh".to_owned()));
        known.add("a", Some("x".to_owned()));
        known.add("a", Some("y".to_owned()));
        known.add("b", None);
        let says = |text: &str| {
            let script = parse(text);
            let Some(Step::Command(command)) = script.steps.last() else { panic!("{script:?}") };
            let values = known.values(&command.words[0]);
            (values.known.join(" "), values.unknown.unwrap_or_default())
        };
        let is = |known: &str, unknown: &str| (known.to_owned(), unknown.to_owned());
        assert_eq!(says("/bin/$a"), is("/bin/x /bin/y", ""));
        assert_eq!(says("\"$b\""), is("", "$b"));
        assert_eq!(says("${c:-vi}"), is("vi", ""));
        assert_eq!(says("\"$(dirname \"$0\")/lib.sh\""), is("/app/lib.sh", ""));
        assert_eq!(says("${0%/*}/lib.sh"), is("/app/lib.sh", ""));
        assert_eq!(says("\"$(command -v python3)\""), is("python3", ""));
        assert_eq!(says("$c"), is("", "$c"));
    }
}
