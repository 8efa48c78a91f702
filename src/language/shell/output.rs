//! The output of command substitutions that give a path: the directory of a file, a program looked up in PATH, a file
//! found below a directory. `profiles/tables/shell.toml` lists the commands.

use std::rc::Rc;

use super::table::table;
use super::tree::{Part, Simple, Step, Word, parse};
use super::words::Known;
use crate::language::source::application::is_wide;
use crate::path::RootPath;
use crate::root::RootGlob;
use crate::world::tables::system;

/// Maximum number of files that one search gives.
const MAX_FOUND: usize = 64;
/// Maximum length of a substitution.
const MAX_TEXT: usize = 4096;

impl Known<'_> {
    /// The possible outputs of a substitution; empty if it cannot be decided.
    pub(super) fn output(&self, text: &str) -> Vec<String> {
        let inner = text.strip_prefix("$(").and_then(|text| text.strip_suffix(')'));
        let inner = inner.or_else(|| text.strip_prefix('`').and_then(|text| text.strip_suffix('`')));
        let Some(inner) = inner.filter(|inner| inner.len() <= MAX_TEXT) else { return Vec::new() };
        let script = self.memory.map_or_else(|| Rc::new(parse(inner)), |memory| memory.script(inner));
        let mut dirs: Vec<String> = self.last("PWD").into_iter().collect();
        let mut said = Vec::new();
        let mut depth = 0;
        for step in &script.steps {
            match step {
                // Substitutions inside have steps of their own; their values come with the words.
                Step::Open => depth += 1,
                Step::Close => depth -= 1,
                Step::Command(simple) if depth == 0 => {
                    let Some(name) = plain(simple, 0) else { return Vec::new() };
                    if name == "cd" {
                        dirs = self.arguments(simple).next().unwrap_or_default();
                    } else if name == "pwd" {
                        said.clone_from(&dirs);
                    } else if !table().output_filters.contain(&name) && said.is_empty() {
                        said = self.said(&name, simple);
                    }
                }
                _ => {}
            }
        }
        said.retain(|value| !value.is_empty());
        said.dedup();
        said
    }

    /// The values of each argument that is no option.
    fn arguments<'s>(&'s self, simple: &'s Simple) -> impl Iterator<Item = Vec<String>> + 's {
        let is_option = |word: &&Word| matches!(word.parts.first(), Some(Part::Text(text)) if text.starts_with('-'));
        simple.words.iter().skip(1).filter(move |word| !is_option(word)).map(|word| match pattern(word) {
            Some(pattern) => self.matching(&pattern),
            None => self.values(word).known,
        })
    }

    fn said(&self, name: &str, simple: &Simple) -> Vec<String> {
        let table = table();
        let mut arguments = self.arguments(simple);
        if table.output_directory.contain(name) {
            return arguments.next().unwrap_or_default().iter().map(|path| directory(path)).collect();
        }
        if table.output_base.contain(name) {
            let end = |path: &String| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
            return arguments.next().unwrap_or_default().iter().map(end).collect();
        }
        if table.output_machine.contain(name) {
            return self.machine.iter().cloned().collect();
        }
        if table.output_file.contain(name) {
            return arguments.next().unwrap_or_default().iter().filter_map(|path| self.line(path)).collect();
        }
        if table.output_field.contain(name) {
            return self.field(simple, &arguments.next().unwrap_or_default());
        }
        if table.output_search.contain(name) {
            return self.search(simple, &arguments.next().unwrap_or_default());
        }
        if table.output_argument.contain(name) {
            // The format of printf comes first.
            let all: Vec<Vec<String>> =
                arguments.filter(|values| !values.iter().all(|value| value.contains('%'))).collect();
            return if all.len() == 1 { all.into_iter().flatten().collect() } else { Vec::new() };
        }
        Vec::new()
    }

    /// Returns the line of a file that has only one.
    fn line(&self, path: &str) -> Option<String> {
        let (_, text) = self.root?.head_followed(path.as_bytes(), MAX_TEXT).ok().flatten()?;
        let text = String::from_utf8(text).ok()?;
        let line = text.trim_end_matches('\n');
        (text.len() < MAX_TEXT && !line.contains('\n')).then(|| line.to_owned())
    }

    /// Returns the output of `cut -dX -fN FILE` for a file of one line.
    fn field(&self, simple: &Simple, files: &[String]) -> Vec<String> {
        let words: Vec<String> = simple.words.iter().skip(1).filter_map(|word| self.values(word).known.pop()).collect();
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let delimiter = option("-d").and_then(|text| text.chars().next()).unwrap_or('\t');
        let Some(number) = option("-f").and_then(|text| text.parse::<usize>().ok()) else { return Vec::new() };
        let nth = |line: String| line.split(delimiter).nth(number.checked_sub(1)?).map(str::to_owned);
        files.iter().filter_map(|path| self.line(path)).filter_map(nth).collect()
    }

    /// Returns the output of a command that searches directories.
    pub(super) fn found(&self, simple: &Simple) -> Vec<String> {
        self.search(simple, &self.arguments(simple).next().unwrap_or_default())
    }

    /// Returns the names in a directory of an application that a command lists.
    pub(super) fn names_in(&self, simple: &Simple) -> Vec<String> {
        let dirs = self.arguments(simple).next().or_else(|| Some(self.last("PWD").into_iter().collect()));
        let dirs = dirs.unwrap_or_default().into_iter().filter_map(|dir| RootPath::new(self.absolute(&dir)));
        let names = dirs.filter(is_own).filter_map(|dir| self.root?.list(&dir).ok().map(|names| names.to_vec()));
        names.flatten().take(MAX_FOUND).map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    fn absolute(&self, path: &str) -> String {
        let dir = || self.last("PWD").unwrap_or_default();
        match path.strip_prefix("./").unwrap_or(path) {
            "." => dir(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("{}/{path}", dir().trim_end_matches('/')),
        }
    }

    /// `find DIR … -name PATTERN`, or `find DIR` for a directory of an application.
    fn search(&self, simple: &Simple, dirs: &[String]) -> Vec<String> {
        let at =
            simple.words.iter().position(|word| matches!(word.parts.as_slice(), [Part::Text(text)] if text == "-name"));
        let is_own = |dir: &String| RootPath::new(self.absolute(dir)).is_some_and(|dir| is_own(&dir));
        let names = match at.and_then(|at| simple.words.get(at + 1)) {
            Some(name) => match pattern(name) {
                Some(pattern) => vec![pattern],
                None => self.values(name).known,
            },
            None if dirs.iter().all(is_own) => vec!["*".to_owned()],
            None => return Vec::new(),
        };
        // A relative directory gives relative paths.
        let own = |dir: &String| {
            let top = self.absolute(dir).trim_end_matches('/').to_owned();
            let globs = names.iter().map(|name| self.matching(&format!("{top}/**/{name}")));
            let spelled = |path: String| match path.strip_prefix(&top).filter(|_| !dir.starts_with('/')) {
                Some(rest) => format!("{}{rest}", dir.trim_end_matches('/')),
                None => path,
            };
            globs.flatten().map(spelled).collect::<Vec<_>>()
        };
        dirs.iter().flat_map(own).take(MAX_FOUND).collect()
    }

    /// The paths of the root that a pattern matches.
    fn matching(&self, pattern: &str) -> Vec<String> {
        let found = RootGlob::new(pattern).ok().zip(self.root).map(|(glob, root)| root.matching(&glob));
        let found = found.and_then(Result::ok).unwrap_or_default();
        found.iter().take(MAX_FOUND).map(RootPath::to_string).collect()
    }

    /// `${name%/*}` and `${name##*/}`; empty for other operators.
    pub(super) fn cut(&self, text: &str) -> Vec<String> {
        let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        let rest = rest.strip_prefix("[0]").unwrap_or(rest);
        let values = self.values(&Word { parts: vec![Part::Variable(name.to_owned(), None)], is_quoted: true }).known;
        match rest {
            "%/*" => values.iter().map(|path| directory(path)).collect(),
            "##*/" => values.iter().filter_map(|path| path.rsplit('/').next().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    }
}

/// True for a directory of an application.
fn is_own(dir: &RootPath) -> bool {
    !is_wide(dir) && !system().system.cover(dir)
}

/// The directory of a path, as dirname(1) prints it.
fn directory(path: &str) -> String {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((dir, _)) => dir.to_owned(),
        None => ".".to_owned(),
    }
}

fn plain(simple: &Simple, at: usize) -> Option<String> {
    match simple.words.get(at)?.parts.as_slice() {
        [Part::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

/// The word as a pattern, if it has a glob and no variables.
fn pattern(word: &Word) -> Option<String> {
    let mut text = String::new();
    for part in &word.parts {
        match part {
            Part::Text(part) | Part::Other(part) => text.push_str(part),
            _ => return None,
        }
    }
    (text.contains(['*', '?']) && !text.contains('$')).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::root::{MemTree, Root};

    #[test]
    fn substitutions_that_give_paths_are_evaluated() {
        let mut tree = MemTree::default();
        tree.file("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", 0o644, "x");
        tree.file("/app/start.data", 0o644, "13.1 0.1.0\n").file("/app/two", 0o644, "a\nb\n");
        let root = Root::new(Arc::new(tree));
        let memory = crate::language::Memory::default();
        let mut known = Known::of(&root, Some("x86_64".to_owned()), &memory);
        known.add("0", Some("/app/bin/run.sh".to_owned()));
        known.add("HOME", Some("/opt/x".to_owned()));
        for (text, said) in [
            ("$(dirname \"$0\")", "/app/bin"),
            ("$(cd \"$(dirname \"$0\")/..\" && pwd -P)", "/app/bin/.."),
            ("`basename $0`", "run.sh"),
            ("$(readlink -f \"$HOME\")", "/opt/x"),
            ("$(command -v python3 || true)", "python3"),
            ("$(find /usr/lib -name libjemalloc.so.2 -print -quit)", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
            ("$(find /usr/lib -name 'libjemalloc.so*' | head -n 1)", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
            ("$(echo /usr/lib/*/libjemalloc.so.2)", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
            ("$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null)", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
            ("$(uname -m)", "x86_64"),
            ("$(cat /app/start.data)", "13.1 0.1.0"),
            ("$(cat /app/two)", ""),
            ("$(cut -d' ' -f2 \"/app/start.data\")", "0.1.0"),
            ("$(date)", ""),
            ("$(curl https://x)", ""),
        ] {
            assert_eq!(known.output(text).join(" "), said, "{text}");
        }
        assert_eq!(known.cut("${0%/*}"), ["/app/bin"]);
        assert_eq!(known.cut("${0##*/}"), ["run.sh"]);
    }
}
