//! Programs and libraries that source code starts or opens by a literal name: `subprocess.run(["git", …])`,
//! `execSync("sort | head")`, `CDLL("libz.so.1")`. Computed names are not found, because the code is not parsed.

use std::collections::BTreeMap;

use memchr::memmem::find_iter;

use super::{Call, Certainty, Command, Library, Needs, Start, app};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Visit};
use crate::world::program_in_path;

/// Python functions that take a program or a shell command (modules `subprocess`, `os`, `shutil`, `asyncio`).
const PYTHON_STARTS: [&str; 17] = [
    "subprocess.run(",
    "subprocess.call(",
    "check_call(",
    "check_output(",
    "Popen(",
    "getoutput(",
    "getstatusoutput(",
    "os.system(",
    "os.popen(",
    "os.execl(",
    "os.execlp(",
    "os.execv(",
    "os.execvp(",
    "os.execvpe(",
    "shutil.which(",
    "create_subprocess_exec(",
    "create_subprocess_shell(",
];
/// Node functions that take a program or a shell command (module `child_process`).
const NODE_STARTS: [&str; 6] = ["exec(", "execSync(", "execFile(", "execFileSync(", "spawn(", "spawnSync("];
/// Functions that open libraries (`ctypes`, cffi).
const OPENS: [&str; 5] = ["CDLL(", "LoadLibrary(", "ffi.dlopen(", "find_library(", "PyDLL("];
/// Development tools. Packages start these only while they are being developed or built.
const TOOLS: &[&str] = &[
    "gcc", "cc", "g++", "c++", "clang", "gfortran", "ld", "as", "ar", "nm", "make", "cmake", "ninja", "git", "hg",
    "svn", "bzr", "darcs", "cargo", "rustc", "npm", "node", "pip", "pip3", "python", "python3", "pytest", "apt",
    "apt-get", "dpkg", "rpm", "gdb", "patchelf", "swig", "man", "clear",
];
/// Maximum length of a literal that counts as a command, and maximum number of literals.
const MAX_LITERAL: usize = 512;
const MAX_LITERALS: usize = 512;

/// Literals, each with the file and line of its first occurrence.
pub(super) type Literals = BTreeMap<String, (RootPath, usize)>;

/// Programs and libraries found in source code.
#[derive(Debug, Default)]
pub(super) struct Named {
    starts: Literals,
    /// The same in sources of installed packages, most of which the application never reaches.
    of_packages: Literals,
    /// Programs started with literal arguments.
    lists: BTreeMap<Vec<String>, (RootPath, usize)>,
    opens: Literals,
    /// Libraries opened under exactly this name.
    exact: Literals,
    /// Libraries to report if they are missing: those that the application itself opens without a fallback.
    wanted: Literals,
}

impl Named {
    /// Scans a Python source file.
    pub(super) fn python(&mut self, path: &RootPath, text: &[u8], is_app: bool) {
        for literal in PYTHON_STARTS.iter().flat_map(|name| literals(text, name)) {
            let program = literal.text.split(char::is_whitespace).next().unwrap_or_default();
            let program = program.rsplit('/').next().unwrap_or_default();
            if is_app {
                self.keep_start(path, literal);
            } else if !TOOLS.contains(&program) {
                keep(&mut self.of_packages, path, literal);
            }
        }
        for name in OPENS {
            for literal in literals(text, name).filter(|literal| !literal.is_open) {
                let is_short = name == "find_library(";
                let library = if is_short { format!("lib{}.so", literal.text) } else { literal.text.clone() };
                let literal = Literal { text: library, ..literal };
                if is_app && !is_short && !literal.is_tried && literal.text.contains(".so") {
                    keep(&mut self.wanted, path, literal.clone());
                }
                keep(&mut self.opens, path, literal);
            }
        }
    }

    fn node(&mut self, path: &RootPath, text: &[u8]) {
        if memchr::memmem::find(text, b"child_process").is_some() {
            NODE_STARTS.iter().flat_map(|name| literals(text, name)).for_each(|one| self.keep_start(path, one));
        }
    }

    /// Records a program with its arguments, or a shell command.
    fn keep_start(&mut self, path: &RootPath, literal: Literal) {
        if literal.args.is_empty() || literal.text.contains(char::is_whitespace) {
            return keep(&mut self.starts, path, literal);
        }
        if self.lists.len() < MAX_LITERALS {
            let words = std::iter::once(literal.text).chain(literal.args).collect();
            self.lists.entry(words).or_insert_with(|| (path.clone(), literal.line));
        }
    }

    /// Scans for calls of the given functions. Returns true if there is one, even if its argument is not a literal.
    pub(super) fn starts(&mut self, path: &RootPath, text: &[u8], calls: &[&str]) -> bool {
        let mut is_started = false;
        for name in calls {
            // A method of the same name is unrelated, for example `$db->exec("…")`.
            let is_method = |at: usize| {
                [&b"->"[..], b"::", b"."].iter().any(|sign| text[..at].ends_with(sign)) && !name.contains('.')
            };
            let is_word =
                |at: usize| at > 0 && (text[at - 1].is_ascii_alphanumeric() || matches!(text[at - 1], b'_' | b'$'));
            let mut at_all = find_iter(text, name.as_bytes());
            if at_all.all(|at| is_method(at) || is_word(at)) {
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
    pub(super) fn command(&mut self, path: &RootPath, text: &[u8], at: usize, command: &[u8]) {
        let line = memchr::memchr_iter(b'\n', &text[..at]).count() + 1;
        let text = String::from_utf8_lossy(&command[..command.len().min(MAX_LITERAL)]).into_owned();
        self.keep_command(path, Literal { text, args: Vec::new(), line, is_open: false, is_tried: false });
    }

    /// Perl and Ruby execute strings without shell metacharacters directly, so the first word is a program, not a
    /// builtin.
    fn keep_command(&mut self, path: &RootPath, literal: Literal) {
        let is_plain = !literal.text.contains(|c: char| "*?{}[]<>()~&|\\$;'`\"\n#=%".contains(c));
        if let Some(word) = literal.text.split_whitespace().next().filter(|word| is_plain && *word != literal.text) {
            keep(&mut self.starts, path, Literal { text: word.to_owned(), ..literal.clone() });
        }
        keep(&mut self.starts, path, literal);
    }

    /// Scans a Ruby source file: finds the library of `ffi_lib "libz.so.1"`, and the base name in
    /// `"/usr/lib/#{arch}/libsass.#{ext}"`.
    pub(super) fn ruby(&mut self, path: &RootPath, text: &[u8]) {
        for at in find_iter(text, b"ffi_lib ") {
            let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let rest = text[at + b"ffi_lib ".len()..].split(|byte| *byte == b'\n').next().unwrap_or_default();
            let rest = String::from_utf8_lossy(&rest[..rest.len().min(MAX_LITERAL)]).into_owned();
            for quoted in rest.split(['"', '\'']).skip(1).step_by(2) {
                let name = quoted.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
                let (known, is_computed) = name.split_once("#{").map_or((name, false), |(known, _)| (known, true));
                let stem = known.trim_end_matches('.');
                let library = match (stem.starts_with("lib"), stem.contains(".so")) {
                    (_, true) => stem.to_owned(),
                    (true, false) => format!("{stem}.so"),
                    (false, false) => format!("lib{stem}.so"),
                };
                if stem.len() > 1 && (!is_computed || known.ends_with('.')) && self.exact.len() < MAX_LITERALS {
                    self.exact.entry(library).or_insert_with(|| (path.clone(), line));
                }
            }
        }
    }

    /// Adds the programs and libraries that exist in the root.
    pub(super) fn ask(&self, call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
        let own = self.starts.iter().map(|(text, place)| (text, place, Certainty::Likely));
        let packages = self.of_packages.iter().map(|(text, place)| (text, place, Certainty::Possible));
        for (text, (path, line), certainty) in own.chain(packages) {
            let why = format!("{path} starts it in line {line}");
            if !text.contains(|c: char| c.is_whitespace() || "|&;<>()$`".contains(c)) {
                if let Some(program) = program_in_path(call.root, call.path, text)? {
                    needs.commands.push(Command { name: program.to_string(), certainty, why });
                }
            } else if program_in_path(call.root, call.path, "/bin/sh")?.is_some() {
                let words = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
                needs.starts.push(Start { is_exec: false, certainty, ..Start::of(call, words, why) });
            }
        }
        for (words, (path, line)) in &self.lists {
            if program_in_path(call.root, call.path, &words[0])?.is_some() {
                let why = format!("{path} starts it in line {line}");
                let start = Start::of(call, words.clone(), why);
                needs.starts.push(Start { is_exec: false, certainty: Certainty::Likely, ..start });
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

/// Programs started by the sources of a Node application. The sources of its packages are not scanned.
pub(super) fn node(call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
    let mut named = Named::default();
    for dir in app::dirs(call)? {
        call.root.visit(&dir, &mut |path, meta| {
            let is_source = [&b".js"[..], b".mjs", b".cjs"].iter().any(|end| path.name().ends_with(end));
            if meta.kind == FileKind::File && is_source && meta.size < (4 << 20) {
                named.node(path, &call.root.read(path, 4 << 20)?);
            }
            let is_out = path.name() == b"node_modules" || app::is_leftover(path);
            Ok(if is_out { Visit::Pass } else { Visit::Enter })
        })?;
    }
    named.ask(call, needs)
}

/// Libraries opened by the sources of Ruby gems.
pub(super) fn ruby(call: &Call<'_>, dirs: &[RootPath], needs: &mut Needs) -> Result<(), Error> {
    let mut named = Named::default();
    for dir in dirs {
        call.root.visit(dir, &mut |path, meta| {
            if meta.kind == FileKind::File && path.name().ends_with(b".rb") && meta.size < (1 << 20) {
                named.ruby(path, &call.root.read(path, 1 << 20)?);
            }
            Ok(Visit::Enter)
        })?;
    }
    named.ask(call, needs)
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

fn keep(literals: &mut Literals, path: &RootPath, literal: Literal) {
    if literals.len() < MAX_LITERALS {
        literals.entry(literal.text).or_insert_with(|| (path.clone(), literal.line));
    }
}

#[derive(Clone, Debug)]
struct Literal {
    text: String,
    /// The literals that follow it in the same list, or in the list that is the next argument.
    args: Vec<String>,
    line: usize,
    /// Only the beginning of the string is known; the rest is computed.
    is_open: bool,
    /// The call is in a `try` block, so a failure is handled.
    is_tried: bool,
}

/// The first argument of each call of `name`, or the first item of a list there, if it is a literal.
fn literals<'t>(text: &'t [u8], name: &str) -> impl Iterator<Item = Literal> + use<'t> {
    let length = name.len();
    // The first item in the argument list of an exec call is argv[0], not an argument.
    let is_exec = name.starts_with("os.exec");
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts: Vec<usize> = find_iter(text, name.as_bytes()).collect();
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
        let mut args = arguments(&rest[(end + 2).min(rest.len())..]);
        args.drain(..usize::from(is_exec).min(args.len()));
        (!literal.is_empty()).then(|| Literal {
            text: literal,
            args,
            line: memchr::memchr_iter(b'\n', &text[..at]).count() + 1,
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
        assert_eq!(found("os.execvp('node', ['node', 'a.js'])", "os.execvp("), ["a.js"]);
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
