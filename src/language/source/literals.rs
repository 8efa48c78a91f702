//! Programs and libraries that source code starts or opens by name, and literals of source text that is not parsed:
//! `execSync("sort | head")`, `CDLL("libz.so.1")`.

use std::collections::BTreeMap;

use memchr::memmem::find_iter;

use super::alike::{self, Partial};
use super::beside;
use super::interpreters::{shell_words, system_shell};
use crate::error::Error;
use crate::language::{Call, Certainty, Command, Library, Needs, Start};
use crate::path::RootPath;
use crate::root::Root;
use crate::world::program_in_path;
use crate::world::tables::{Words, imports};

/// Maximum length of a literal that counts as a command, and maximum number of literals of a kind: every route of a web
/// application looks like an absolute path.
pub(crate) const MAX_LITERAL: usize = 512;
const MAX_LITERALS: usize = 16_384;

/// Literals, each with the file and line of its first occurrence.
pub(crate) type Literals = BTreeMap<String, (RootPath, usize)>;

/// Programs and libraries found in source code.
#[derive(Debug, Default)]
pub(crate) struct Named {
    starts: Literals,
    /// The same in sources of installed packages, most of which the application never reaches.
    of_packages: Literals,
    /// Programs that installed packages can do without. They are reported, not packed.
    offered: Literals,
    /// Absolute paths in sources of the application, most of which are no programs.
    paths: Literals,
    /// Absolute paths in sources whose programs are found by their calls.
    data: Literals,
    /// Paths that sources compute from their own place.
    beside: Literals,
    /// Programs started with literal arguments.
    lists: BTreeMap<Vec<String>, (RootPath, usize)>,
    /// Names that a source looks up in directories of programs itself.
    searched: BTreeMap<Vec<String>, (RootPath, usize)>,
    opens: Literals,
    /// Libraries opened under exactly this name.
    exact: Literals,
    /// Libraries to report if they are missing: those that the application itself opens without a fallback.
    wanted: Literals,
    /// The first source with a literal beyond the limit.
    cut: Option<RootPath>,
}

impl Named {
    /// Records a program that an installed package starts.
    pub(crate) fn keep_package_start(&mut self, path: &RootPath, literal: Literal) {
        keep(&mut self.of_packages, &mut self.cut, path, (literal.text, literal.line));
    }

    /// Records a program that an installed package can do without.
    pub(crate) fn keep_offer(&mut self, path: &RootPath, literal: Literal) {
        keep(&mut self.offered, &mut self.cut, path, (literal.text, literal.line));
    }

    /// Records the absolute paths that are whole strings of a source: programs and data.
    pub(crate) fn keep_paths(&mut self, path: &RootPath, text: &[u8]) {
        absolute_paths(text, &mut |found, line| keep(&mut self.paths, &mut self.cut, path, (found.to_owned(), line)));
        self.keep_extensions(path, text);
        self.keep_searched(path, text);
    }

    /// Records them as data only.
    pub(crate) fn keep_data(&mut self, path: &RootPath, text: &[u8]) {
        absolute_paths(text, &mut |found, line| keep(&mut self.data, &mut self.cut, path, (found.to_owned(), line)));
        self.keep_extensions(path, text);
        self.keep_searched(path, text);
    }

    /// Records the paths that a source computes from its own place. Most candidates do not exist, and do not count.
    pub(crate) fn keep_beside(&mut self, root: &Root, path: &RootPath, text: &[u8]) {
        let mut lines = Lines::new(text);
        for (found, at) in beside::paths(path, text) {
            let line = lines.at(at);
            // A module may be named without the end of its name.
            for found in beside::with_ends(path, found) {
                // Whoever reads the file later reports a directory that cannot be read.
                if root.follow(found.as_bytes()).map_or(true, |followed| followed.found().is_some()) {
                    keep(&mut self.beside, &mut self.cut, path, (found, line));
                }
            }
        }
    }

    /// Records libraries that a database loads: `load_extension('x')`. It appends the end of the name if it is missing.
    fn keep_extensions(&mut self, path: &RootPath, text: &[u8]) {
        for literal in imports().loads_extensions.iter().flat_map(|name| literals(text, name)) {
            let whole =
                if literal.text.ends_with(".so") { literal.text.clone() } else { format!("{}.so", literal.text) };
            self.keep_library(path, Literal { text: whole, ..literal.clone() }, false);
            self.keep_library(path, literal, false);
        }
    }

    fn keep_searched(&mut self, path: &RootPath, text: &[u8]) {
        for (at, list) in alike::searched(text) {
            let words: Vec<String> = list.into_iter().map(str::to_owned).collect();
            keep(&mut self.searched, &mut self.cut, path, (words, line(text, at)));
        }
    }

    /// Records a library; if it is wanted, its absence is reported.
    pub(crate) fn keep_library(&mut self, path: &RootPath, literal: Literal, is_wanted: bool) {
        if is_wanted {
            keep(&mut self.wanted, &mut self.cut, path, (literal.text.clone(), literal.line));
        }
        keep(&mut self.opens, &mut self.cut, path, (literal.text, literal.line));
    }

    /// Records a library that is opened under exactly this name.
    pub(crate) fn keep_exact(&mut self, path: &RootPath, library: String, line: usize) {
        keep(&mut self.exact, &mut self.cut, path, (library, line));
    }

    /// Records a program with its arguments, or a shell command.
    pub(crate) fn keep_start(&mut self, path: &RootPath, literal: Literal) {
        if literal.args.is_empty() || literal.text.contains(char::is_whitespace) {
            return keep(&mut self.starts, &mut self.cut, path, (literal.text, literal.line));
        }
        let words: Vec<String> = std::iter::once(literal.text).chain(literal.args).collect();
        keep(&mut self.lists, &mut self.cut, path, (words, literal.line));
    }

    /// Scans for calls of the given functions. Returns true if there is one, even if its argument is not a literal.
    pub(crate) fn starts(&mut self, path: &RootPath, text: &[u8], calls: &Words) -> bool {
        let mut is_started = false;
        for name in calls.iter() {
            if calls_of(text, name).next().is_none() {
                continue;
            }
            is_started |= name.ends_with('(');
            for literal in literals(text, name) {
                is_started = true;
                self.keep_command(path, literal);
            }
        }
        is_started
    }

    /// Records a command that starts at offset `at` of the source.
    pub(crate) fn command(&mut self, path: &RootPath, text: &[u8], at: usize, command: &[u8]) {
        let command = String::from_utf8_lossy(&command[..command.len().min(MAX_LITERAL)]);
        self.keep_command(path, Literal::plain(&command, line(text, at)));
    }

    /// Perl and Ruby execute strings without shell metacharacters directly, so the first word is a program, not a
    /// builtin.
    fn keep_command(&mut self, path: &RootPath, literal: Literal) {
        let is_plain = !literal.text.contains(|c: char| "*?{}[]<>()~&|\\$;'`\"\n#=%".contains(c));
        if let Some(word) = literal.text.split_whitespace().next().filter(|word| is_plain && *word != literal.text) {
            keep(&mut self.starts, &mut self.cut, path, (word.to_owned(), literal.line));
        }
        keep(&mut self.starts, &mut self.cut, path, (literal.text, literal.line));
    }

    /// Adds the programs and libraries that exist in the root.
    pub(crate) fn ask(&self, call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
        if let Some(path) = &self.cut {
            let says =
                format!("programs, libraries and paths that sources name are followed up to {MAX_LITERALS} of a kind");
            call.root.leave_unread(path, says);
        }
        let own = self.starts.iter().map(|(text, place)| (text, place, Certainty::Likely));
        let packages = self.of_packages.iter().map(|(text, place)| (text, place, Certainty::Possible));
        for (text, (path, line), certainty) in own.chain(packages) {
            let why = format!("{path} starts it in line {line}");
            if let Some(name) = Partial::of(text) {
                name.ask(call, &why, needs)?;
                // A shell would look for the same, and knows less.
                if !text.contains(|c: char| "|&;<>()`".contains(c)) {
                    continue;
                }
            }
            if !text.contains(|c: char| c.is_whitespace() || "|&;<>()$`".contains(c)) {
                if let Some(program) = program_in_path(call.root, call.path, text)? {
                    needs.commands.push(Command { name: program.to_string(), certainty, why });
                }
            } else if program_in_path(call.root, call.path, system_shell())?.is_some() {
                let start = Start::of(call, shell_words(text), why);
                needs.starts.push(Start { is_exec: false, certainty, ..start });
            }
        }
        for (text, (path, line)) in &self.offered {
            let word = text.split_whitespace().next().unwrap_or_default();
            if let Some(program) = program_in_path(call.root, call.path, word)? {
                needs.offers.push((program, format!("{path}, line {line}")));
            }
        }
        for (text, (path, line)) in self.paths.iter().chain(&self.beside) {
            if let Some(program) = program_at(call.root, text)? {
                let why = format!("{path} names it in line {line}");
                needs.commands.push(Command { name: program.to_string(), certainty: Certainty::Likely, why });
            }
        }
        for (text, (path, line)) in self.paths.iter().chain(&self.data).chain(&self.beside) {
            if program_at(call.root, text)?.is_none() {
                needs.data.push((text.clone(), format!("{path} names it in line {line}")));
            }
        }
        for (words, (path, line)) in &self.lists {
            if program_in_path(call.root, call.path, &words[0])?.is_some() {
                let why = format!("{path} starts it in line {line}");
                let start = Start::of(call, words.clone(), why);
                needs.starts.push(Start { is_exec: false, certainty: Certainty::Likely, ..start });
            }
        }
        for (words, (path, line)) in &self.searched {
            let why = format!("{path} looks it up in line {line}");
            for program in alike::programs_of(call.root, call.path, words)? {
                needs.commands.push(Command {
                    name: program.to_string(),
                    certainty: Certainty::Possible,
                    why: why.clone(),
                });
            }
        }
        for (name, (path, line)) in &self.opens {
            let is_wanted = self.wanted.contains_key(name);
            let names = if name.ends_with(".so") { versions(call, name)? } else { vec![name.clone()] };
            needs.libraries.push(Library { names, is_wanted, why: format!("{path} opens it in line {line}") });
        }
        for (name, (path, line)) in &self.exact {
            let mut names = vec![name.clone()];
            names.extend(versions(call, name)?);
            needs.libraries.push(Library { names, is_wanted: false, why: format!("{path} opens it in line {line}") });
        }
        Ok(())
    }
}

/// The offsets after the name of a function, at each of its calls.
pub(crate) fn calls_of<'t>(text: &'t [u8], name: &'t str) -> impl Iterator<Item = usize> + 't {
    // A method of the same name is unrelated, for example `$db->exec("…")`.
    let is_method =
        move |at: usize| [&b"->"[..], b"::", b"."].iter().any(|sign| text[..at].ends_with(sign)) && !name.contains('.');
    let is_word =
        move |at: usize| at > 0 && (text[at - 1].is_ascii_alphanumeric() || matches!(text[at - 1], b'_' | b'$'));
    find_iter(text, name.as_bytes()).filter(move |at| !is_method(*at) && !is_word(*at)).map(|at| at + name.len())
}

/// The program at an absolute path, if its content is that of one. Scripts without `#!` and libraries are none.
pub(crate) fn program_at(root: &Root, text: &str) -> Result<Option<RootPath>, Error> {
    let Some(path) = RootPath::new(text).filter(|path| memchr::memmem::find(path.name(), b".so").is_none()) else {
        return Ok(None);
    };
    // PATH has no influence on a path with a slash.
    if !text.starts_with('/') || program_in_path(root, "", text)?.is_none() {
        return Ok(None);
    }
    let head = root.head_followed(path.as_bytes(), 4)?.map(|(_, head)| head).unwrap_or_default();
    Ok((head.starts_with(b"\x7fELF") || head.starts_with(b"#!")).then_some(path))
}

/// The numbers of the lines at offsets that grow: a text is counted once.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
}

impl<'t> Lines<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, line: 1 }
    }

    fn at(&mut self, at: usize) -> usize {
        debug_assert!(self.at <= at, "offsets grow");
        self.line += memchr::memchr_iter(b'\n', &self.text[self.at..at]).count();
        self.at = at;
        self.line
    }
}

/// The number of the line at an offset.
pub(crate) fn line(text: &[u8], at: usize) -> usize {
    memchr::memchr_iter(b'\n', &text[..at]).count() + 1
}

/// File names that match a library name without a version: the name itself and versioned names, as `find_library` finds
/// them.
fn versions(call: &Call<'_>, name: &str) -> Result<Vec<String>, Error> {
    let mut dirs = Vec::new();
    for top in ["/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64"] {
        let Some(real) = call.root.follow(top.as_bytes())?.dir().cloned() else { continue };
        for entry in call.root.list(&real)? {
            if memchr::memmem::find(&entry, b"-linux-").is_some() {
                dirs.push(real.join(&entry));
            }
        }
        dirs.push(real);
    }
    let mut found = Vec::new();
    for dir in dirs {
        if call.root.follow(dir.as_bytes())?.dir().is_none() {
            continue;
        }
        for entry in call.root.list(&dir)? {
            let entry = String::from_utf8_lossy(&entry).into_owned();
            if entry.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')) && !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    found.sort_by_key(|found| (found.len(), found.clone()));
    found.push(name.to_owned());
    Ok(found)
}

/// The absolute paths that are whole strings of a source, with their lines.
fn absolute_paths(text: &[u8], each: &mut dyn FnMut(&str, usize)) {
    let mut lines = Lines::new(text);
    for at in memchr::memchr_iter(b'/', text).filter(|at| *at > 0) {
        let quote = text[at - 1];
        if !matches!(quote, b'"' | b'\'' | b'`') {
            continue;
        }
        let rest = &text[at..text.len().min(at + MAX_LITERAL)];
        let Some(end) = rest.iter().position(|b| *b == quote || b.is_ascii_whitespace()) else { continue };
        if rest[end] == quote
            && end > 1
            && let Ok(found) = std::str::from_utf8(&rest[..end])
            && found[1..].contains('/')
        {
            each(found, lines.at(at));
        }
    }
}

/// Keeps a literal with the file and line of its first occurrence, or the file if there are too many.
fn keep<T: Ord>(
    literals: &mut BTreeMap<T, (RootPath, usize)>,
    cut: &mut Option<RootPath>,
    path: &RootPath,
    (literal, line): (T, usize),
) {
    if literals.len() < MAX_LITERALS || literals.contains_key(&literal) {
        literals.entry(literal).or_insert_with(|| (path.clone(), line));
    } else if cut.is_none() {
        *cut = Some(path.clone());
    }
}

/// A literal argument of a call.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    /// Its value.
    pub(crate) text: String,
    /// The literals that follow it in the same list, or in the list that is the next argument.
    pub(crate) args: Vec<String>,
    /// Its line number.
    pub(crate) line: usize,
    /// Only the beginning of the string is known; the rest is computed.
    pub(crate) is_open: bool,
    /// The call is in a `try` block, so a failure is handled.
    pub(crate) is_tried: bool,
}

impl Literal {
    /// A whole text in a line.
    pub(crate) fn plain(text: &str, line: usize) -> Self {
        Self { text: text.to_owned(), args: Vec::new(), line, is_open: false, is_tried: false }
    }
}

/// The first argument of each call of `name`, or the first item of a list there, if it is a literal.
pub(crate) fn literals<'t>(text: &'t [u8], name: &str) -> impl Iterator<Item = Literal> + use<'t> {
    let length = name.len();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts: Vec<usize> = find_iter(text, name.as_bytes()).collect();
    let mut lines = Lines::new(text);
    starts.into_iter().filter(move |at| *at == 0 || !is_word(text[at - 1])).filter_map(move |at| {
        let mut rest = text[at + length..].trim_ascii_start();
        rest = rest.strip_prefix(b"[").or_else(|| rest.strip_prefix(b"(")).unwrap_or(rest).trim_ascii_start();
        let is_format = rest.first().is_some_and(|b| matches!(b, b'f' | b'F'));
        if rest.first().is_some_and(|b| matches!(b, b'f' | b'F' | b'r' | b'b' | b'u')) {
            rest = &rest[1..];
        }
        let quote = *rest.first().filter(|b| matches!(b, b'"' | b'\'' | b'`'))?;
        let inner = &rest[1..rest.len().min(MAX_LITERAL)];
        let end = inner.iter().enumerate().position(|(at, b)| *b == quote && (at == 0 || inner[at - 1] != b'\\'))?;
        let literal =
            std::str::from_utf8(&inner[..end]).ok()?.replace("\\n", "\n").replace("\\\"", "\"").replace("\\'", "'");
        let before = &text[text[..at].len().saturating_sub(120)..at];
        let is_open = is_format && literal.contains('{') || quote == b'`' && literal.contains("${");
        let args = arguments(&rest[(end + 2).min(rest.len())..]);
        (!literal.is_empty()).then(|| Literal {
            text: literal,
            args,
            line: lines.at(at),
            is_open,
            is_tried: memchr::memmem::find(before, b"try:").is_some(),
        })
    })
}

/// The literals that follow the first argument, as in `, "a", "b"]` and `, ["a", "b"]`, up to the first item that is
/// not a literal.
fn arguments(text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text[..text.len().min(4 * MAX_LITERAL)].trim_ascii_start();
    while let Some(item) = rest.strip_prefix(b",") {
        let item = item.trim_ascii_start();
        let item = if found.is_empty() { item.strip_prefix(b"[").unwrap_or(item).trim_ascii_start() } else { item };
        let Some(quote) = item.first().filter(|b| matches!(b, b'"' | b'\'')) else { break };
        let Some(end) = memchr::memchr(*quote, &item[1..]) else { break };
        let Ok(word) = std::str::from_utf8(&item[1..=end]) else { break };
        // Escapes are not decoded, so the value of such a word is unknown.
        if word.contains('\\') {
            break;
        }
        found.push(word.to_owned());
        rest = item[end + 2..].trim_ascii_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_a_list_are_read_as_far_as_they_are_plain() {
        let found = |text: &str, name: &str| -> Vec<String> {
            literals(text.as_bytes(), name).flat_map(|literal| literal.args).collect()
        };
        assert_eq!(found("subprocess.run(['node', '/app/x.js', \"-v\"])", "subprocess.run("), ["/app/x.js", "-v"]);
        assert_eq!(found("spawn('node', ['a.js', x, 'b'])", "spawn("), ["a.js"]);
        assert_eq!(found("os.system('a b')", "os.system("), Vec::<String>::new());
    }

    #[test]
    fn first_arguments_are_read() {
        let found = |text: &str, name: &str| -> Vec<(String, usize)> {
            literals(text.as_bytes(), name).map(|literal| (literal.text, literal.line)).collect()
        };
        let one = |text: &str, line| vec![(text.to_owned(), line)];
        assert_eq!(found("x\nsubprocess.run(\n  [\"git\", 'log'])", "subprocess.run("), one("git", 2));
        assert_eq!(found("os.system('a \\'b\\' | c')", "os.system("), one("a 'b' | c", 1));
        assert_eq!(found("os.system(x); myos.system('y')", "os.system("), []);
        assert_eq!(found("run([sys.executable, '-m'])", "run("), []);
    }
}
