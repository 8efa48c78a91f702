//! Files that the packed run lacked: paths that it looked up in vain and that the builder root has, and paths that
//! only the run in the builder root reached.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::error::Error;
use crate::loader::Objects;
use crate::path::{RootPath, show};
use crate::root::{FileKind, Root};
use crate::watch::{Act, Seen, Trace};
use crate::world::tables::{Words, system, table};

/// True for the name of a module of an interpreter.
pub(super) fn is_module(name: &[u8]) -> bool {
    misses().module_endings.end(name)
}

/// True for the name of a library.
pub(super) fn is_library(name: &[u8]) -> bool {
    name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.")
}

/// Lists of `profiles/tables/misses.toml`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Misses {
    /// Name endings of modules.
    module_endings: Words,
    /// Endings of caches.
    cache_endings: Words,
    /// Beginnings of paths of translations.
    cache_directories: Words,
    /// Directories of time zones.
    zone_directories: Words,
    /// Directories of locales.
    locale_directories: Words,
}

table! {
    /// Kinds of files that a run looks up.
    fn misses() -> Misses = "misses"
}

/// errno(3).
pub(super) const ENOENT: i32 = 2;
const ENOTDIR: i32 = 20;
/// Maximum number of interpreters of interpreters (fs/exec.c).
const MAX_STEPS: usize = 5;
/// Maximum length of a `#!` line (linux/binfmts.h, BINPRM_BUF_SIZE).
const MAX_LINE: usize = 256;

/// The kind of a missing file, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A library, loaded by the loader or opened with dlopen.
    Library,
    /// A program.
    Program,
    /// A module of an interpreter.
    Module,
    /// Time zone data: without it, local times are silently UTC.
    Zone,
    /// Data of a locale: without it, programs silently fall back to the C locale.
    Locale,
    /// Data.
    Data,
    /// Settings below /etc.
    Settings,
    /// A directory.
    Directory,
    /// A cache or translation, which programs do without.
    Cache,
}

impl Kind {
    /// The code of a finding about it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Program => "command-missing",
            Self::Zone => "zone-data-missing",
            Self::Locale => "locale-missing",
            _ => "run-missed",
        }
    }
}

/// A missing file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Missed {
    /// Its kind.
    pub kind: Kind,
    /// The path.
    pub path: String,
    /// The call that looked it up, or the use in the builder root.
    pub how: String,
    /// The program that looked it up, and those that started it.
    pub askers: Vec<String>,
    /// The option of `build` that adds it.
    pub option: String,
    /// True if the packed run looked it up; false if only the run in the builder root did.
    pub asked: bool,
}

/// Returns the missing files, in order, and the number of paths that the builder root lacks too.
///
/// # Errors
/// `unreadable`.
pub(super) fn missed(
    packed: &Root,
    builder: &Root,
    run: &Trace,
    builder_run: Option<&Trace>,
) -> Result<(Vec<Missed>, usize), Error> {
    let (mut found, mut known, mut absent) = (BTreeSet::new(), BTreeSet::new(), 0);
    let in_vain = run.seen().filter(|seen| [ENOENT, ENOTDIR].contains(&seen.errno));
    let in_vain: BTreeMap<&[u8], &Seen> = in_vain.map(|seen| (seen.path.as_slice(), seen)).collect();
    for (path, seen) in in_vain {
        if is_elsewhere(path) || packed.follow(path)?.found().is_some() {
            continue;
        }
        match kind(builder, seen)? {
            Some(kind) => {
                known.insert(path.to_vec());
                found.insert(describe(run, seen, kind, true));
            }
            None => match made_in(packed, builder, seen)? {
                // The directory in which it wants to create something.
                Some(dir) => {
                    let lost = Seen { path: dir, ..seen.clone() };
                    found.insert(describe(run, &lost, Kind::Directory, true));
                }
                None => absent += 1,
            },
        }
    }
    for (path, seen) in run.seen().filter(|seen| seen.act == Act::Exec && seen.errno == ENOENT).map(|s| (&s.path, s)) {
        // The kernel fails at the first missing interpreter.
        let (mut interpreter, mut steps) = (interpreter(packed, path)?, 0);
        while let Some(next) = interpreter.as_ref().filter(|_| steps < MAX_STEPS) {
            if packed.follow(next)?.found().is_none() {
                break;
            }
            (interpreter, steps) = (self::interpreter(packed, next)?, steps + 1);
        }
        let is_lost = |path: &Vec<u8>| -> Result<bool, Error> {
            Ok(packed.follow(path)?.found().is_none() && builder.follow(path)?.found().is_some())
        };
        if let Some(interpreter) = interpreter
            && is_lost(&interpreter)?
        {
            let how = format!("{} names it as its interpreter", show(path));
            let lost = Seen { path: interpreter.clone(), ..seen.clone() };
            found.insert(Missed { how, ..describe(run, &lost, Kind::Program, true) });
            known.insert(interpreter);
        }
    }
    let reached = builder_run.map(Trace::reached).unwrap_or_default();
    for (path, seen) in reached {
        if is_elsewhere(path) || known.contains(path) || packed.follow(path)?.found().is_some() {
            continue;
        }
        // Files that the run itself created are not in the builder root.
        if let (Some(kind), Some(trace)) = (kind(builder, seen)?, builder_run) {
            found.insert(describe(trace, seen, kind, false));
        }
    }
    Ok((found.into_iter().collect(), absent))
}

/// The topmost directory that only the builder root has, if a call tried to create something below it.
fn made_in(packed: &Root, builder: &Root, seen: &Seen) -> Result<Option<Vec<u8>>, Error> {
    let Some(path) = RootPath::new(&seen.path).filter(|_| seen.act == Act::Write) else { return Ok(None) };
    let mut lost = None;
    let mut dir = path.parent();
    while let Some(next) = dir.filter(|dir| !dir.is_root()) {
        if packed.follow(next.as_bytes())?.found().is_some() {
            break;
        }
        if builder.follow(next.as_bytes())?.dir().is_some() {
            lost = Some(next.as_bytes().to_vec());
        }
        dir = next.parent();
    }
    Ok(lost)
}

/// The program that the kernel needs to execute a file: of `#!`, or the loader of ELF. Without it, execve(2) says that
/// the file itself does not exist.
fn interpreter(root: &Root, path: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let followed = root.follow(path)?;
    let Some((real, _)) = followed.file() else { return Ok(None) };
    let head = root.head(real, MAX_LINE)?;
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
        let word = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        return Ok(Some(word.to_vec()).filter(|word| word.first() == Some(&b'/')));
    }
    let objects = Objects::new(root);
    Ok(objects.read(real)?.elf.as_ref().ok().and_then(|elf| elf.interp.clone()))
}

/// True for kernel file systems, and directories whose files exist only during a run.
pub(super) fn is_elsewhere(path: &[u8]) -> bool {
    let is_below = |dir: &&[u8]| path.strip_prefix(*dir).is_some_and(|rest| rest.is_empty() || rest[0] == b'/');
    path.first() != Some(&b'/') || [&b"/proc"[..], b"/sys", b"/dev", b"/tmp", b"/run"].iter().any(is_below)
}

/// The kind of the file at a path; `None` if there is none.
fn kind(root: &Root, seen: &Seen) -> Result<Option<Kind>, Error> {
    let followed = root.follow(&seen.path)?;
    let Some((real, meta)) = followed.found() else { return Ok(None) };
    let path = RootPath::new(&seen.path).unwrap_or_else(|| real.clone());
    let table = misses();
    let name = path.name();
    Ok(Some(match meta.kind {
        _ if table.cache_endings.end(path.as_bytes()) || table.cache_directories.begin(path.as_bytes()) => Kind::Cache,
        _ if table.zone_directories.begin(path.as_bytes()) => Kind::Zone,
        _ if table.locale_directories.begin(path.as_bytes()) => Kind::Locale,
        FileKind::Dir => Kind::Directory,
        _ if is_library(name) => Kind::Library,
        _ if seen.act == Act::Exec || system().commands.cover(&path) => Kind::Program,
        _ if is_module(name) => Kind::Module,
        _ if path.as_bytes().starts_with(b"/etc/") => Kind::Settings,
        _ => Kind::Data,
    }))
}

fn describe(trace: &Trace, seen: &Seen, kind: Kind, asked: bool) -> Missed {
    let path = show(&seen.path).into_owned();
    let askers = trace.askers(seen.process).into_iter().map(|process| show(&process.program).into_owned());
    let how = match asked {
        true if seen.call.is_empty() => "looked up in vain".to_owned(),
        true => format!("{} in vain", seen.call),
        false => format!("a run in the builder root {}", seen.act.says()),
    };
    let option = match kind {
        Kind::Program => format!("--bin {path}"),
        _ => format!("--include {path}"),
    };
    Missed { kind, path, how, askers: askers.collect(), option, asked }
}
