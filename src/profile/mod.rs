//! Profiles: data files that list what a program needs besides its ELF dependencies. The folder `profiles/` has one
//! TOML file for each facility, compiled into slimroot; users can add their own. A profile lists the paths on different
//! distributions, and the reasons. It contains no code.

mod builtin;
mod place;
mod probe;
mod raw_read;
mod read;
mod schema;

use crate::error::Error;
use crate::root::RootGlob;

pub use builtin::BUILTIN;
pub use place::{Place, Values};
pub use probe::Probe;
pub use raw_read::{ARGUMENT, WORKDIR};
pub use read::{CommandLine, Names, Read, What};

/// The consequence if a rule matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// An error.
    Required,
    /// A warning.
    Expected,
    /// No message.
    Optional,
}

/// Files of the root to pack.
#[derive(Clone, Debug)]
pub struct Take {
    /// The reason, for reports.
    pub why: String,
    /// Patterns; all matches are packed.
    pub paths: Vec<Place>,
    /// Patterns; only the matches of the first one that has any. For different paths on different distributions.
    pub first: Vec<Place>,
    /// Matches to leave out.
    pub exclude: Vec<Place>,
    /// True if the dependencies of matching ELF files are packed too.
    pub elf: bool,
    /// If set, the rule applies only to processes of a glibc before this release, `(2, N)`.
    pub glibc_before: Option<(u32, u32)>,
    /// True if only symlinks match. Real directories are not packed with their contents.
    pub links_only: bool,
    /// The consequence if nothing matches.
    pub need: Need,
}

/// A trigger: a condition on the closure that shows that a profile is needed. All fields that are set must match.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    /// An object of the process has this SONAME; `*` at the end matches any suffix.
    pub soname: Option<String>,
    /// True if `soname` also matches objects loaded by plug-ins of the entry's package, or by libraries that the entry
    /// opens by name.
    pub plug_ins: bool,
    /// One of these symbols is imported.
    pub imports: Vec<String>,
    /// The entry, or a program that it starts, contains one of these strings.
    pub strings: Vec<String>,
    /// The build information of such a program lists one of these Go modules or crates.
    pub modules: Vec<String>,
    /// A program or script with one of these file names is started.
    pub command: Vec<String>,
    /// The environment of the image has this variable.
    pub env: Option<String>,
    /// The root has a path that matches this pattern.
    pub path: Option<RootGlob>,
    /// The root's package database has this package.
    pub package: Option<String>,
    /// The entry is a script whose interpreter has this name; `*` at the end matches any suffix.
    pub interpreter: Option<String>,
    /// The entry is of this kind.
    pub entry: Option<EntryKind>,
    /// True if `imports` matches imports of any loaded object. Otherwise only those of the entry count, because
    /// libraries import many symbols that the program never uses.
    pub anywhere: bool,
    /// All of these must match.
    pub all: Vec<Trigger>,
    /// One of these must match.
    pub any: Vec<Trigger>,
    /// None of these may match.
    pub not: Vec<Trigger>,
}

impl Trigger {
    /// All `command` names of this trigger and of nested ones.
    pub fn commands(&self) -> Vec<&str> {
        let inner = self.all.iter().chain(&self.any).flat_map(Self::commands);
        self.command.iter().map(String::as_str).chain(inner).collect()
    }

    /// All `strings` of this trigger and of nested ones.
    pub fn texts(&self) -> Vec<&str> {
        let inner = self.all.iter().chain(&self.any).chain(&self.not).flat_map(Self::texts);
        self.strings.iter().map(String::as_str).chain(inner).collect()
    }
}

/// True if the name matches; `*` at the end of `wanted` matches any suffix.
pub fn fits(wanted: &str, name: &[u8]) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == wanted.as_bytes(),
    }
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts = [
            ("soname", &self.soname),
            ("env", &self.env),
            ("package", &self.package),
            ("interpreter", &self.interpreter),
        ];
        let mut parts: Vec<String> =
            texts.iter().filter_map(|(name, text)| Some(format!("{name} {}", text.as_ref()?))).collect();
        parts.extend(self.path.iter().map(|path| format!("path {}", path.as_str())));
        parts.extend(self.entry.iter().map(|kind| format!("entry {kind:?}").to_lowercase()));
        let lists = [("imports", &self.imports), ("strings", &self.strings), ("command", &self.command)];
        let lists = lists.iter().filter(|(_, list)| !list.is_empty());
        parts.extend(lists.map(|(name, list)| format!("{name} {}", list.join(" or "))));
        let shown = |triggers: &[Self]| triggers.iter().map(|trigger| format!("({trigger})")).collect::<Vec<_>>();
        parts.extend(shown(&self.all));
        parts.extend((!self.any.is_empty()).then(|| shown(&self.any).join(" or ")));
        parts.extend(shown(&self.not).iter().map(|trigger| format!("not {trigger}")));
        write!(f, "{}", parts.join(" and ").replace('\0', ""))
    }
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A script with a `#!` line.
    Script,
    /// A dynamically linked program.
    Dynamic,
    /// A statically linked program.
    Static,
}

/// A test of the profile: a small root and the expected result.
#[derive(Clone, Debug)]
pub struct Example {
    /// Files in the root.
    pub root: Vec<crate::path::RootPath>,
    /// More files, with their contents.
    pub files: Vec<(crate::path::RootPath, String)>,
    /// Paths that must be in the image.
    pub packs: Vec<crate::path::RootPath>,
    /// Paths that must not be in the image.
    pub leaves: Vec<crate::path::RootPath>,
}

/// A library that is opened by name, in the process that matched the trigger.
#[derive(Clone, Debug)]
pub struct Open {
    /// The names, in order of preference.
    pub sonames: Vec<String>,
    /// The reason, for reports.
    pub why: String,
}

/// Files that a program starts because they are in a certain directory.
#[derive(Clone, Debug)]
pub struct StartFiles {
    /// The reason, for reports.
    pub why: String,
    /// The files. `{argument}` stands for each directory among the arguments of the command that triggers the profile.
    pub paths: Vec<Place>,
}

/// A generated file.
#[derive(Clone, Debug)]
pub struct Make {
    /// Its path in the image.
    pub path: crate::path::RootPath,
    /// The reason, for reports.
    pub why: String,
    /// Its permission bits.
    pub mode: u32,
    /// Its content.
    pub content: MakeContent,
}

/// The content of a generated file.
#[derive(Clone, Debug)]
pub enum MakeContent {
    /// This text.
    Text(String),
    /// The lines of the root's file, plus those of these lines whose name it lacks. For `/etc/passwd` and `/etc/group`,
    /// whose lines start with a name and a colon.
    Accounts(Vec<String>),
    /// The root's nsswitch.conf with those services whose modules the root has; this text if no other service remains.
    Services(String),
    /// A locked password for each of the root's accounts.
    Locked,
}

/// A directory to create.
#[derive(Clone, Debug)]
pub struct MakeDir {
    /// Its path in the image.
    pub path: crate::path::RootPath,
    /// The reason, for reports.
    pub why: String,
    /// Its permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
}

/// A validated profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its purpose, in one line.
    pub summary: String,
    /// A note on files that no rule can find for its programs, with a fix; reported when the profile is applied.
    pub note: Option<String>,
    /// True if it is always applied.
    pub default: bool,
    /// Profiles that are applied together with it.
    pub extends: Vec<String>,
    /// Triggers; the profile is applied automatically if one of them matches.
    pub when: Vec<Trigger>,
    /// Values to extract from programs and libraries.
    pub probe: Vec<Probe>,
    /// Files of the root to pack.
    pub take: Vec<Take>,
    /// Configuration files to read.
    pub read: Vec<Read>,
    /// Libraries that are opened by name.
    pub open: Vec<Open>,
    /// Files that the program starts because they are in a certain directory.
    pub start: Vec<StartFiles>,
    /// Files to generate.
    pub make: Vec<Make>,
    /// Directories to create.
    pub dir: Vec<MakeDir>,
    /// Environment variables of the image; the user's values take precedence.
    pub env: std::collections::BTreeMap<String, String>,
    /// Its own tests.
    pub example: Vec<Example>,
    /// Its source text.
    pub text: String,
}

impl Profile {
    /// Parses a profile; `origin` names it in messages.
    ///
    /// # Errors
    /// `bad-profile`, with the line and, for an unknown key, the most similar known key.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        schema::parse(text, origin)
    }

    /// A built-in profile by its name.
    ///
    /// # Errors
    /// `unknown-profile`, with the most similar name.
    pub fn builtin(name: &str) -> Result<Self, Error> {
        let Some((_, text)) = BUILTIN.iter().find(|(known, _)| *known == name) else {
            let names = BUILTIN.iter().map(|(known, _)| *known);
            let nearest = nearest(name, names).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Error::new("unknown-profile", format!("there is no profile {name}{nearest}")).help(
                "slimroot profiles list prints the names; the path of a file must contain a slash or end in .toml",
            ));
        };
        Self::parse(text, &format!("profiles/{name}.toml"))
    }

    /// The names of commands in its triggers.
    pub fn commands(&self) -> std::collections::BTreeSet<&str> {
        self.when.iter().flat_map(Trigger::commands).collect()
    }

    /// All patterns of files that the profile may pack, with the default values of its probes.
    pub fn places(&self) -> impl Iterator<Item = &RootGlob> {
        let taken = self.take.iter().flat_map(|take| take.first.iter().chain(&take.paths));
        let read = self.read.iter().flat_map(|read| read.files.iter().chain(&read.otherwise));
        taken.chain(read).flat_map(Place::globs)
    }

    /// The built-in profiles, by name.
    ///
    /// # Errors
    /// `bad-profile` if one of them is invalid, which tests rule out.
    pub fn builtins() -> Result<Vec<Self>, Error> {
        BUILTIN.iter().map(|(name, _)| Self::builtin(name)).collect()
    }
}

/// The known word that a misspelt one probably means: one that begins with it, or that at most a third of its letters are
/// wrong for.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Length from which a word may be the beginning of the one that is meant.
    const SHORTEST: usize = 3;
    let reach = (word.chars().count() / 3).max(1);
    let distance = |candidate: &str| match word.len() >= SHORTEST && candidate.starts_with(word) {
        true => 1,
        false => strsim::damerau_levenshtein(word, candidate),
    };
    let near = known.map(|candidate| (distance(candidate), candidate)).filter(|(wrong, _)| *wrong <= reach);
    near.min_by_key(|(wrong, _)| *wrong).map(|(_, candidate)| candidate)
}

/// A TOML error as a sentence with the line and, for an unknown key, the most similar known key.
pub fn toml_complaint(text: &str, error: &toml::de::Error) -> String {
    let span = error.span().unwrap_or(0..0);
    let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
    let message = error.message().lines().next().unwrap_or_default();
    let written = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match written {
        Some(written) => {
            let expected = message.split_once("expected").map_or("", |(_, expected)| expected);
            let known = expected.split('`').skip(1).step_by(2);
            let near = nearest(written, known).map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("line {line}: unknown key {written}{near}")
        }
        None if message == "invalid type: map, expected a sequence" => {
            format!(
                "line {line}: expected a list of tables: [[name]] at the top level, name = [{{ … }}] inside a table"
            )
        }
        None => format!("line {line}: {message}"),
    }
}
