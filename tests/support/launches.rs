//! The ways in which a container starts a program, and the files that each of them needs in the builder root.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A program as a user starts it, with what has to be so when it starts.
#[derive(Clone, Default)]
pub struct Start {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Commands that run before it.
    pub before: Vec<Vec<String>>,
    /// Directory that the launcher changes to.
    pub cd: Option<String>,
    /// Variables that the launcher sets.
    pub export: BTreeMap<String, String>,
}

/// Files of the builder root and arguments of slimroot.
pub struct Launch {
    pub entry: Vec<String>,
    pub options: Vec<String>,
    /// Paths in the root, and what lies there.
    pub files: Vec<(String, Text)>,
}

pub enum Text {
    Script(String),
    Data(String),
    /// The program that executes the path compiled into it.
    CompiledLauncher,
}

/// How sure it is that a launcher of this kind starts the program.
#[derive(Clone, Copy, PartialEq)]
pub enum Certainty {
    /// A shell or a wrapper is told to: findings are those of the program as entry.
    Sure,
    /// A literal in a source or in a program: findings may have a lower level.
    Likely,
}

pub struct Shape {
    pub name: &'static str,
    pub certainty: Certainty,
    /// Gives nothing where the shape makes no sense for the program.
    pub make: fn(&Start) -> Option<Launch>,
}

const fn sure(name: &'static str, make: fn(&Start) -> Option<Launch>) -> Shape {
    Shape { name, certainty: Certainty::Sure, make }
}

const fn likely(name: &'static str, make: fn(&Start) -> Option<Launch>) -> Shape {
    Shape { name, certainty: Certainty::Likely, make }
}

pub const SHAPES: &[Shape] = &[
    sure("script-beside", |start| script_at(start, &format!("{}/start.sh", start.home()))),
    sure("script-in-path", |start| script_at(start, SCRIPT)),
    sure("sh-c-exec", |start| {
        Some(entry(&["sh", "-c", &start.shell(&format!("exec {}", quoted(&start.words)), "; ")]))
    }),
    sure("sh-c", |start| Some(entry(&["sh", "-c", &start.shell(&quoted(&start.words), " && ")]))),
    sure("env", |start| env(start, &[])),
    sure("env-variable", |start| env(start, &["X=1"])),
    sure("tini", tini),
    sure("prelude", prelude),
    sure("arguments", arguments),
    sure("two-deep", two_deep),
    sure("bin", bin),
    likely("python", python),
    likely("compiled", compiled),
];

const SCRIPT: &str = "/usr/local/bin/start.sh";
const COMPILED: &str = "/usr/local/bin/start";

impl Start {
    /// The directory of the application: that of the last path which is not the distribution's.
    fn own_home(&self) -> Option<String> {
        let is_own = |word: &&String| {
            word.starts_with('/') && !["/usr/", "/etc/", "/bin/", "/dev/"].iter().any(|dir| word.starts_with(dir))
        };
        self.words.iter().rfind(is_own)?.rsplit_once('/').map(|(dir, _)| dir.to_owned())
    }

    fn home(&self) -> String {
        self.own_home().unwrap_or_else(|| "/app".to_owned())
    }

    fn is_plain(&self) -> bool {
        self.before.is_empty() && self.cd.is_none() && self.export.is_empty()
    }

    /// Shell text that ends with a command.
    fn shell(&self, last: &str, separator: &str) -> String {
        let cd = self.cd.iter().map(|dir| format!("cd {dir}"));
        let export = self.export.iter().map(|(name, value)| format!("export {name}={}", quote(value)));
        let before = self.before.iter().map(|words| quoted(words));
        cd.chain(export).chain(before).chain([last.to_owned()]).collect::<Vec<_>>().join(separator)
    }
}

fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

pub fn quoted(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn entry(words: &[&str]) -> Launch {
    Launch::of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

fn with_script(words: &[&str], path: &str, text: String) -> Launch {
    Launch { files: vec![(path.to_owned(), Text::Script(text))], ..entry(words) }
}

fn script_at(start: &Start, path: &str) -> Option<Launch> {
    let text = start.shell(&format!("exec {}", quoted(&start.words)), "\n");
    Some(with_script(&[path], path, format!("#!/bin/sh\n{text}\n")))
}

fn env(start: &Start, variables: &[&str]) -> Option<Launch> {
    if !start.before.is_empty() {
        return None;
    }
    let mut words = vec!["env".to_owned()];
    words.extend(start.cd.iter().map(|dir| format!("--chdir={dir}")));
    words.extend(start.export.iter().map(|(name, value)| format!("{name}={value}")));
    words.extend(variables.iter().map(|variable| (*variable).to_owned()));
    words.extend(start.words.iter().cloned());
    Some(entry(&words.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn tini(start: &Start) -> Option<Launch> {
    let inner = if start.is_plain() { entry(&[]) } else { script_at(start, SCRIPT)? };
    let words = if start.is_plain() { start.words.clone() } else { vec![SCRIPT.to_owned()] };
    let words = ["tini", "--"].map(str::to_owned).into_iter().chain(words).collect();
    Some(Launch { entry: words, ..inner })
}

fn prelude(start: &Start) -> Option<Launch> {
    let cd = start.cd.clone().or_else(|| start.own_home()).unwrap_or_else(|| "/tmp".to_owned());
    let inner = Start { cd: None, ..start.clone() };
    let text = inner.shell(&format!("exec {}", quoted(&start.words)), "\n");
    Some(with_script(&[SCRIPT], SCRIPT, format!("#!/bin/sh\nset -e\nexport A=b\ncd {cd}\n{text}\n")))
}

fn arguments(start: &Start) -> Option<Launch> {
    let text = format!("#!/bin/sh\nset -e\n{}\n", start.shell("exec \"$@\"", "\n"));
    let words: Vec<&str> = [SCRIPT].into_iter().chain(start.words.iter().map(String::as_str)).collect();
    Some(with_script(&words, SCRIPT, text))
}

fn two_deep(start: &Start) -> Option<Launch> {
    let second = "/usr/local/lib/start/second.sh";
    let mut launch = script_at(start, second)?;
    launch.entry = vec![SCRIPT.to_owned()];
    launch.files.push((SCRIPT.to_owned(), Text::Script(format!("#!/bin/sh\nset -e\nexec {second} \"$@\"\n"))));
    Some(launch)
}

/// The script reads the command from a file, so that only the option says what it starts. Arguments cannot be told so.
fn bin(start: &Start) -> Option<Launch> {
    let [program] = start.words.as_slice() else { return None };
    if !start.is_plain() || !program.starts_with('/') {
        return None;
    }
    let (path, list) = (format!("{}/start.sh", start.home()), "/etc/start-command");
    let text = format!("#!/bin/sh\nread -r line <{list}\nexec $line\n");
    let mut launch = with_script(&[&path], &path, text);
    launch.files.push((list.to_owned(), Text::Data(format!("{program}\n"))));
    launch.options = vec!["--bin".to_owned(), program.clone(), "--include".to_owned(), list.to_owned()];
    Some(launch)
}

fn python(start: &Start) -> Option<Launch> {
    if start.cd.is_some() || !start.export.is_empty() {
        return None;
    }
    let path = "/usr/local/lib/start/start.py";
    let mut text = "import subprocess\nimport sys\n\n".to_owned();
    for words in &start.before {
        text += &format!("subprocess.run({words:?}, check=True)\n");
    }
    text += &format!("sys.exit(subprocess.run({:?}).returncode)\n", start.words);
    Some(Launch { files: vec![(path.to_owned(), Text::Data(text))], ..entry(&["python3", path]) })
}

/// Source of the program that executes the path compiled into it.
pub fn compiled_source(words: &[String]) -> String {
    let list: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!(
        "#include <stdio.h>\n#include <unistd.h>\nint main(void) {{ char *args[] = {{{}, 0}}; \
         execv(args[0], args); perror(args[0]); return 127; }}\n",
        list.join(", ")
    )
}

fn compiled(start: &Start) -> Option<Launch> {
    if !start.is_plain() || !start.words[0].starts_with('/') {
        return None;
    }
    Some(Launch { files: vec![(COMPILED.to_owned(), Text::CompiledLauncher)], ..entry(&[COMPILED]) })
}

impl Launch {
    /// The program itself as entry.
    pub fn of(words: &[String]) -> Self {
        Self { entry: words.to_vec(), options: Vec::new(), files: Vec::new() }
    }

    /// Lays its files out in a directory that is mounted over the builder root.
    pub fn lay_out(&self, into: &Path, compiled_launcher: &Path) {
        for (path, text) in &self.files {
            let place = into.join(path.trim_start_matches('/'));
            fs::create_dir_all(place.parent().expect("a parent")).expect("made");
            let mode = match text {
                Text::Script(text) => fs::write(&place, text).map(|()| 0o755),
                Text::Data(text) => fs::write(&place, text).map(|()| 0o644),
                Text::CompiledLauncher => fs::copy(compiled_launcher, &place).map(|_| 0o755),
            };
            fs::set_permissions(&place, fs::Permissions::from_mode(mode.expect("written"))).expect("a mode");
        }
    }
}
