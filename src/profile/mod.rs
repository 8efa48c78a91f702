//! Profiles: what a root must give besides what ELF files name, as data. One TOML file a facility in `profiles/`,
//! compiled in; a file of the user's is read the same way. A profile says where things lie in the different
//! distributions and why they are wanted; nothing in it is a program.

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
pub use read::{Names, Read, What};

/// How much a rule that matches nothing is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Its absence is an error.
    Required,
    /// Its absence is a warning.
    Expected,
    /// Its absence is nothing.
    Optional,
}

/// Files taken out of the root.
#[derive(Clone, Debug)]
pub struct Take {
    /// Why they are wanted.
    pub why: String,
    /// Every one of these that matches is taken.
    pub paths: Vec<Place>,
    /// Of these only the first that matches: the places of different distributions.
    pub first: Vec<Place>,
    /// What is left out of the matches.
    pub exclude: Vec<Place>,
    /// Whether ELF files among the matches get their own closure.
    pub elf: bool,
    /// Only for a process of a glibc before this release, `(2, N)`.
    pub glibc_before: Option<(u32, u32)>,
    /// Whether only symbolic links count: what is a directory here is not taken whole.
    pub links_only: bool,
    /// How much an empty result is missed.
    pub need: Need,
}

/// A sign in the closure that a profile is needed. What is set must all be so.
#[derive(Clone, Debug, Default)]
pub struct Clue {
    /// An object of the process has this SONAME; a `*` at the end stands for any rest.
    pub soname: Option<String>,
    /// Whether the SONAME also counts of what plug-ins load: those that came with the package of the entry, or that it
    /// opens by name.
    pub plug_ins: bool,
    /// One of these is imported.
    pub imports: Vec<String>,
    /// One of these stands in the bytes of the entry.
    pub strings: Vec<String>,
    /// The entry says that it was built with one of these Go modules or crates.
    pub modules: Vec<String>,
    /// The environment of the image has this variable.
    pub env: Option<String>,
    /// The root has a path that this pattern names.
    pub path: Option<RootGlob>,
    /// The root's database has this package.
    pub package: Option<String>,
    /// A script of the entry is read by a program of this name; a `*` at the end stands for any rest.
    pub interpreter: Option<String>,
    /// The entry is of this kind.
    pub entry: Option<EntryKind>,
    /// Whose imports count: those of every object, or of the entry alone. What any library may import costs too much to
    /// be packed for each.
    pub anywhere: bool,
    /// All of these must be so.
    pub all: Vec<Clue>,
    /// One of these must be so.
    pub any: Vec<Clue>,
    /// None of these may be so.
    pub not: Vec<Clue>,
}

impl Clue {
    /// All texts that it asks for, those of the clues in it too.
    pub fn texts(&self) -> Vec<&str> {
        let inner = self.all.iter().chain(&self.any).chain(&self.not).flat_map(Self::texts);
        self.strings.iter().map(String::as_str).chain(inner).collect()
    }
}

/// Whether a name is what a profile names; a `*` at its end stands for any rest.
pub fn fits(wanted: &str, name: &[u8]) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == wanted.as_bytes(),
    }
}

impl std::fmt::Display for Clue {
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
        let lists = [("imports", &self.imports), ("strings", &self.strings)];
        let lists = lists.iter().filter(|(_, list)| !list.is_empty());
        parts.extend(lists.map(|(name, list)| format!("{name} {}", list.join(" or "))));
        let shown = |clues: &[Self]| clues.iter().map(|clue| format!("({clue})")).collect::<Vec<_>>();
        parts.extend(shown(&self.all));
        parts.extend((!self.any.is_empty()).then(|| shown(&self.any).join(" or ")));
        parts.extend(shown(&self.not).iter().map(|clue| format!("not {clue}")));
        write!(f, "{}", parts.join(" and ").replace('\0', ""))
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// It starts with `#!`.
    Script,
    /// A program that a loader starts.
    Dynamic,
    /// A program that needs no loader.
    Static,
}

/// A small root, and what the profile makes of it: its own test.
#[derive(Clone, Debug)]
pub struct Example {
    /// Files that the root has.
    pub root: Vec<crate::path::RootPath>,
    /// More of them, with what they hold.
    pub files: Vec<(crate::path::RootPath, String)>,
    /// Paths that must be in the image.
    pub packs: Vec<crate::path::RootPath>,
    /// Paths that must not.
    pub leaves: Vec<crate::path::RootPath>,
}

/// A library that is opened by name, in the process of whoever showed the clue.
#[derive(Clone, Debug)]
pub struct Open {
    /// The names, the best first.
    pub sonames: Vec<String>,
    /// Why.
    pub why: String,
}

/// A file that is made rather than copied.
#[derive(Clone, Debug)]
pub struct Make {
    /// Where it goes.
    pub path: crate::path::RootPath,
    /// Why it is wanted.
    pub why: String,
    /// Its permission bits.
    pub mode: u32,
    /// What it holds.
    pub content: MakeContent,
}

/// What a made file holds.
#[derive(Clone, Debug)]
pub enum MakeContent {
    /// This text.
    Text(String),
    /// The root's own lines of this file, and these if no line has their name: for `/etc/passwd` and `/etc/group`,
    /// whose lines start with a name and a colon.
    Accounts(Vec<String>),
}

/// A directory that the image has in any case.
#[derive(Clone, Debug)]
pub struct MakeDir {
    /// Where it is.
    pub path: crate::path::RootPath,
    /// Why it is wanted.
    pub why: String,
    /// Its permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
}

/// A profile, validated whole.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for, in one line.
    pub summary: String,
    /// Applied without being asked for.
    pub default: bool,
    /// Profiles that come with it.
    pub extends: Vec<String>,
    /// Signs by which it is applied without being asked for; one is enough.
    pub when: Vec<Clue>,
    /// What is found out from programs and libraries.
    pub probe: Vec<Probe>,
    /// Files out of the root.
    pub take: Vec<Take>,
    /// Configuration that is read.
    pub read: Vec<Read>,
    /// Libraries opened.
    pub open: Vec<Open>,
    /// Files made.
    pub make: Vec<Make>,
    /// Directories made.
    pub dir: Vec<MakeDir>,
    /// Environment of the image, where the user gives no other value.
    pub env: std::collections::BTreeMap<String, String>,
    /// Its own tests.
    pub example: Vec<Example>,
    /// The text it was read from.
    pub text: String,
}

impl Profile {
    /// Reads a profile from its text; `origin` names it in messages.
    ///
    /// # Errors
    /// `bad-profile`, with the line and, for an unknown key, the nearest known one.
    pub fn parse(text: &str, origin: &str) -> Result<Self, Error> {
        schema::parse(text, origin)
    }

    /// A compiled-in profile by its name.
    ///
    /// # Errors
    /// `unknown-profile` with the nearest name.
    pub fn builtin(name: &str) -> Result<Self, Error> {
        let Some((_, text)) = BUILTIN.iter().find(|(known, _)| *known == name) else {
            let names = BUILTIN.iter().map(|(known, _)| *known);
            let nearest = nearest(name, names).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Error::new("unknown-profile", format!("there is no profile {name}{nearest}"))
                .help("slimroot profiles list prints the names; a file is given by a path with a slash or .toml"));
        };
        Self::parse(text, &format!("profiles/{name}.toml"))
    }

    /// Every pattern of files that the profile may take, as its probes' defaults have it.
    pub fn places(&self) -> impl Iterator<Item = &RootGlob> {
        let taken = self.take.iter().flat_map(|take| take.first.iter().chain(&take.paths));
        let read = self.read.iter().flat_map(|read| read.files.iter().chain(&read.otherwise));
        taken.chain(read).flat_map(Place::globs)
    }

    /// The compiled-in profiles, by name.
    ///
    /// # Errors
    /// `bad-profile` if one of them is wrong, which the tests exclude.
    pub fn builtins() -> Result<Vec<Self>, Error> {
        BUILTIN.iter().map(|(name, _)| Self::builtin(name)).collect()
    }
}

/// The known word nearest to one that was written, if it is near enough to be a slip.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.6;
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(near, _)| *near > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// What TOML says of a text, as a sentence with the line and, for an unknown key, the nearest known one.
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
                "line {line}: a list of tables is wanted here: [[name]] at the top, name = [{{ … }}] inside a table"
            )
        }
        None => format!("line {line}: {message}"),
    }
}
