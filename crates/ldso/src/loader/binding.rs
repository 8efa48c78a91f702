//! Checks that the loaded objects fit together: required versions and undefined symbols. The loader checks both before
//! the program runs, so a mismatch is as fatal as a missing file.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Answer, Family, Loaded, Objects, Process, Role};
use crate::elf::{DefinedVersion, Malformed, Symbol, Symbols, Versions, WantedVersion};
use slimroot_rootfs::error::Error;
use slimroot_rootfs::path::show;

/// The version that an object with compact relocations must require of its libc, so that a loader without support for
/// them refuses it (glibc 2.36, dl-version.c).
const RELR_VERSION: &[u8] = b"GLIBC_ABI_DT_RELR";
/// The first glibc that supports compact relocations.
const RELR_RELEASE: (u32, u32) = (2, 36);
/// Indices below this one need no name: local, global, and the object's first version (check_match of glibc's
/// dl-lookup.c).
const FIRST_NAMED: u16 = 3;

/// A required version that the other object does not define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetVersion {
    /// The object that requires it: an index into [`Process::loaded`].
    pub requester: usize,
    /// The object that should define it: an index into [`Process::loaded`].
    pub provider: usize,
    /// The name, such as `GLIBC_2.38`.
    pub version: Vec<u8>,
    /// The highest version of the same family that the object defines, such as `GLIBC_2.36`.
    pub newest: Option<Vec<u8>>,
}

impl UnmetVersion {
    fn new(requester: usize, provider: usize, version: &[u8], defined: &[DefinedVersion]) -> Self {
        let family = |name: &[u8]| name.iter().position(u8::is_ascii_digit).map(|at| name[..at].to_vec());
        let same_family = defined.iter().filter(|known| !known.is_base && family(&known.name) == family(version));
        let newest = same_family.max_by_key(|known| numbers(&known.name)).map(|known| known.name.clone());
        Self { requester, provider, version: version.to_vec(), newest }
    }

    /// Describes the mismatch in one sentence, with both releases.
    pub fn says(&self, process: &Process) -> String {
        let (wants, has) = (&process.loaded[self.requester], &process.loaded[self.provider]);
        let version = show(&self.version);
        let mut says =
            format!("{} needs {version} of {}, which has no such version", show(&wants.path), show(&has.path));
        let number = |name: &[u8]| show(name).strip_prefix("GLIBC_").map(str::to_owned);
        if let Some(newest) = &self.newest {
            match (number(&self.version), number(newest)) {
                (Some(wanted), Some(there)) if wanted.starts_with("2.") => {
                    says.push_str(&format!(": built against glibc {wanted} or newer, this root has {there}"));
                }
                _ => says.push_str(&format!(": the newest is {}", show(newest))),
            }
        }
        says
    }
}

/// A symbol that no object of the process defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndefinedSymbol {
    /// The object that uses it: an index into [`Process::loaded`].
    pub requester: usize,
    /// Its name.
    pub name: Vec<u8>,
    /// The required version.
    pub version: Option<Vec<u8>>,
    /// True if the process fails at start-up; false if it fails when the symbol is first called.
    pub at_start: bool,
}

impl UndefinedSymbol {
    /// Describes the problem in one sentence.
    pub fn says(&self, process: &Process) -> String {
        let version = self.version.as_ref().map_or(String::new(), |version| format!("@{}", show(version)));
        let when = if self.at_start { "the process ends at its start" } else { "the process ends when it is called" };
        let wants = show(&process.loaded[self.requester].path);
        format!("{wants} needs the symbol {}{version}, which no loaded object defines: {when}", show(&self.name))
    }
}

/// Required versions that are not defined, per object in load order (`_dl_check_all_versions` of glibc). Empty if a
/// library is missing, because the loader stops before this check, and empty for musl, which ignores versions.
///
/// # Errors
/// `unreadable`.
pub fn unmet_versions(objects: &Objects<'_>, process: &Process) -> Result<Vec<UnmetVersion>, Error> {
    let mut unmet = Vec::new();
    let is_musl = process.constants.as_ref().is_none_or(|constants| constants.family == Family::Musl);
    if is_musl || !process.is_whole() {
        return Ok(unmet);
    }
    let release = process.constants.as_ref().and_then(|constants| constants.release);
    for (requester, object) in process.loaded.iter().enumerate().skip(process.inherited) {
        if object.elf.symbols.is_none_or(|tables| tables.wanted_versions.is_none()) {
            continue;
        }
        let read = objects.read(&object.real)?;
        for wanted in read.versions.iter().flat_map(|versions| &versions.wanted) {
            let Some(provider) = answerer(&process.loaded, &wanted.file) else { continue };
            let theirs = objects.read(&process.loaded[provider].real)?;
            let Some(defined) = theirs.versions.as_ref().ok().and_then(|versions| versions.defined.as_ref()) else {
                continue;
            };
            let is_there =
                |version: &WantedVersion| defined.iter().any(|d| d.hash == version.hash && d.name == version.name);
            for version in wanted.versions.iter().filter(|version| !version.is_weak && !is_there(version)) {
                unmet.push(UnmetVersion::new(requester, provider, &version.name, defined));
            }
            let says_relr = || wanted.versions.iter().any(|version| version.name == RELR_VERSION);
            if object.elf.has_relr
                && wanted.file.starts_with(b"libc.so.")
                && release.is_some_and(|release| release >= RELR_RELEASE)
                && !says_relr()
            {
                unmet.push(UnmetVersion::new(requester, provider, RELR_VERSION, defined));
            }
        }
    }
    Ok(unmet)
}

/// The numbers in a version name, by which versions are ordered.
fn numbers(name: &[u8]) -> Vec<u64> {
    let runs = name.split(|b| !b.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(|run| run.iter().fold(0, |sum: u64, b| sum.saturating_mul(10).saturating_add(u64::from(b - b'0'))))
        .collect()
}

/// The index of the loaded object that has this name.
fn answerer(loaded: &[Rc<Loaded>], name: &[u8]) -> Option<usize> {
    loaded.iter().position(|object| {
        object.names.iter().chain(&object.elf.soname).any(|known| known == name) || object.path == name
    })
}

/// A symbol reference, and whether it is resolved.
struct Want<'a> {
    version: Option<&'a [u8]>,
    /// An object whose definition is ignored: the program that copies the symbol.
    not_of: Option<usize>,
    is_met: bool,
}

/// A loaded object with its symbols.
struct Linked<'a> {
    index: usize,
    object: &'a Loaded,
    symbols: Symbols,
    /// Version names by index, both defined and required.
    names: HashMap<u16, &'a [u8]>,
}

/// Undefined symbols, per object in load order. Only symbols with a relocation count, because others are never looked
/// up. Empty if a library or a version is missing.
///
/// `is_bound_now` is true if LD_BIND_NOW is set.
///
/// # Errors
/// `unreadable`.
pub fn undefined_symbols(
    objects: &Objects<'_>,
    process: &Process,
    is_bound_now: bool,
) -> Result<Vec<UndefinedSymbol>, Error> {
    let Some(constants) = process.constants.as_ref().filter(|_| process.is_whole()) else { return Ok(Vec::new()) };
    let is_musl = constants.family == Family::Musl;
    if !unmet_versions(objects, process)?.is_empty() {
        return Ok(Vec::new());
    }
    let read = process.loaded.iter().map(|object| objects.read(&object.real)).collect::<Result<Vec<_>, _>>()?;
    let mut scope = Vec::new();
    for (index, object) in process.loaded.iter().enumerate() {
        let is_apart = object.role == Role::Interpreter && !is_musl && !is_needed(process, index);
        if is_apart || object.role == Role::Shim {
            continue;
        }
        let symbols = objects.symbols(&object.real)?;
        scope.push(Linked { index, object, symbols, names: version_names(&read[index].versions) });
    }
    let is_new = |linked: &&Linked<'_>| linked.index >= process.inherited && linked.object.role != Role::Interpreter;
    let mut wants: Vec<Want<'_>> = Vec::new();
    let mut by_name: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let mut asked: Vec<(usize, &[u8], usize, bool)> = Vec::new();
    for linked in scope.iter().filter(is_new) {
        let all = [(&linked.symbols.at_start, true), (&linked.symbols.copied, true), (&linked.symbols.by_plt, false)];
        for (number, (list, needs_start)) in all.into_iter().enumerate() {
            for at in list {
                let symbol = &linked.symbols.list[*at as usize];
                let name = linked.symbols.name(symbol);
                let version = linked.names.get(&symbol.version).copied().filter(|_| !is_musl);
                let not_of = (number == 1).then_some(linked.index);
                let known = by_name.entry(name).or_default();
                let is_same = |want: &&usize| wants[**want].version == version && wants[**want].not_of == not_of;
                let want = known.iter().find(is_same).copied().unwrap_or_else(|| {
                    wants.push(Want { version, not_of, is_met: false });
                    known.push(wants.len() - 1);
                    wants.len() - 1
                });
                asked.push((linked.index, name, want, needs_start));
            }
        }
    }
    for linked in &scope {
        for symbol in linked.symbols.list.iter().skip(1).filter(|symbol| symbol.is_defined) {
            let Some(known) = by_name.get(linked.symbols.name(symbol)) else { continue };
            for want in known {
                let want = &mut wants[*want];
                if !want.is_met && want.not_of != Some(linked.index) {
                    want.is_met = if is_musl { !symbol.is_hidden } else { fits(linked, symbol, want.version) };
                }
            }
        }
    }
    let undefined = asked.into_iter().filter(|(_, _, want, _)| !wants[*want].is_met);
    Ok(undefined
        .map(|(requester, name, want, needs_start)| UndefinedSymbol {
            requester,
            name: name.to_vec(),
            version: wants[want].version.map(<[u8]>::to_vec),
            at_start: needs_start || is_musl || is_bound_now || process.loaded[requester].elf.is_bound_now(),
        })
        .collect())
}

/// True if a dependency of some object resolved to this one.
fn is_needed(process: &Process, wanted: usize) -> bool {
    let answers = |answer: &Answer| matches!(answer, Answer::Object { index, .. } if *index == wanted);
    process.loaded.iter().any(|object| object.needs.iter().any(|need| answers(&need.answer)))
}

fn version_names(versions: &Result<Versions, Malformed>) -> HashMap<u16, &[u8]> {
    let Ok(versions) = versions else { return HashMap::new() };
    let is_named = |version: &&DefinedVersion| !version.is_base;
    let defined = versions.defined.iter().flatten().filter(is_named).map(|version| (version.index, &version.name[..]));
    let wanted = versions.wanted.iter().flat_map(|wanted| &wanted.versions);
    defined.chain(wanted.map(|version| (version.index, &version.name[..]))).collect()
}

/// True if a definition matches a reference with or without a version (check_match of glibc's dl-lookup.c).
fn fits(definer: &Linked<'_>, symbol: &Symbol, version: Option<&[u8]>) -> bool {
    if !definer.symbols.has_versions {
        return true;
    }
    let own = definer.names.get(&symbol.version).copied();
    match version {
        None => symbol.version < FIRST_NAMED || !symbol.is_hidden,
        Some(wanted) => own == Some(wanted) || own.is_none() && !symbol.is_hidden,
    }
}
