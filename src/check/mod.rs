//! Checks look for problems in a closure. Each code has its own file with a constant that contains the code, its
//! explanation and the function that finds the problem. To add a check, add a file and a line in [`CHECKS`].

mod application_missing;
mod bad_object;
mod ca_certificates_missing;
mod ca_expired;
mod cache_absent;
mod cache_stale;
mod command_missing;
mod command_unknown;
mod config_architecture;
mod config_missing;
mod cpu_level;
mod dangling_link;
mod default_dirs_guessed;
mod dlopen_missing;
mod dlopen_suggested;
mod entries;
mod entry_not_executable;
mod entry_not_readable;
mod exclude_overruled;
mod foreign_elf;
mod healthcheck_missing;
mod install;
mod interpreter_missing;
mod library_entry;
mod library_for_better_cpu;
mod library_not_cached;
mod library_other_machine;
mod library_other_version;
mod linker_script;
mod locale_missing;
mod low_port;
mod missing_library;
mod module_missing;
mod not_made;
mod not_packed;
mod notes;
mod nothing_matched;
mod nss_service_missing;
mod pasted;
mod preload_failed;
mod runpath_not_inherited;
mod runs_as_root;
mod secret;
mod set_id;
mod soname_link_absent;
mod stale_allow;
mod static_nss;
mod symbol_missing;
mod tmp_missing;
mod unwinder_missing;
mod user_not_numeric;
mod user_unknown;
mod version_missing;
mod world_writable;
mod wrong_machine;
mod zone_data_missing;

use entries::{Entries, EntryOf};
#[cfg(feature = "cli")]
pub(crate) use missing_library::add_search;
pub use missing_library::searched;
pub use pasted::{Recognised, recognise};

use std::cell::OnceCell;

use crate::closure::{AppliedProfile, Closure};
use crate::error::{ERROR_CODES, Error};
use crate::finding::{Finding, Level};
use crate::loader::{Objects, Role};
use crate::package::{self, Packages};
use crate::path::RootPath;
use crate::plan::{Identity, RunSettings};
use crate::profile::{Place, Profile};
use crate::root::Root;

/// The input of a check.
pub struct Evidence<'a> {
    /// The ELF files of the root.
    pub objects: &'a Objects<'a>,
    /// The closure that was computed in that root.
    pub closure: &'a Closure,
    /// The image to check: the planned one or a finished one.
    pub image: &'a Root,
    /// User, environment and the like of the image. In a finished image the user may be a name.
    pub run: &'a RunSettings,
    /// True for a finished image, to which nothing can be added.
    pub is_finished: bool,
    diagnoses: OnceCell<Vec<Finding>>,
    files: OnceCell<Vec<RootPath>>,
    database: OnceCell<Option<Box<dyn Packages + 'a>>>,
}

impl<'a> Evidence<'a> {
    /// Collects the input of the checks.
    pub fn new(
        objects: &'a Objects<'a>,
        closure: &'a Closure,
        image: &'a Root,
        run: &'a RunSettings,
        is_finished: bool,
    ) -> Self {
        let (diagnoses, files, database) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { objects, closure, image, run, is_finished, diagnoses, files, database }
    }

    /// The root that the files come from.
    pub fn root(&self) -> &'a Root {
        self.objects.root()
    }

    /// All missing libraries with the codes of their causes. Cached, because several checks use them.
    fn diagnoses(&self) -> Result<&[Finding], Error> {
        if self.diagnoses.get().is_none() {
            let _ = self.diagnoses.set(missing_library::diagnoses(self)?);
        }
        Ok(self.diagnoses.get().map_or(&[], Vec::as_slice))
    }

    /// All paths of the image, without the contents of the kernel's directories.
    fn files(&self) -> Result<&[RootPath], Error> {
        if self.files.get().is_none() {
            let _ = self.files.set(walk(self.image)?);
        }
        Ok(self.files.get().map_or(&[], Vec::as_slice))
    }

    /// The paths of the image with their metadata.
    fn entries(&self) -> Result<Box<dyn Iterator<Item = EntryOf> + '_>, Error> {
        let tree = self.image.tree();
        if tree.is_in_memory() && !tree.has_paths() {
            return Ok(Box::new(Entries::of(&**tree)?));
        }
        let known = |path: &RootPath| Some(tree.meta(path).transpose()?.map(|meta| (path.clone(), meta)));
        Ok(Box::new(self.files()?.iter().filter_map(known)))
    }

    /// The numeric user and group of the image; `None` for a name that the image does not know.
    fn identity(&self) -> Result<Option<Identity>, Error> {
        Identity::of(&self.run.user, self.image)
    }

    /// True if the image's /etc/passwd has a line with this number.
    fn knows_user(&self, uid: &str) -> Result<bool, Error> {
        Identity::is_known(uid, self.image)
    }

    /// The image's user for messages.
    fn user_shown(&self) -> &str {
        if self.run.user.is_empty() { "root" } else { &self.run.user }
    }

    /// The files that the kernel executes: entries, the interpreters of scripts, and loaders.
    fn executed(&self) -> Vec<RootPath> {
        let mut found: Vec<RootPath> = self.closure.entries.iter().map(|entry| entry.real.clone()).collect();
        for started in
            self.closure.processes.iter().filter(|started| started.required && started.process.inherited == 0)
        {
            let is_executed = |role: &Role| matches!(role, Role::Entry | Role::Interpreter | Role::Shim);
            let loaded = started.process.loaded.iter().filter(|object| is_executed(&object.role));
            found.extend(loaded.map(|object| object.real.clone()));
        }
        found.sort();
        found.dedup();
        found
    }

    /// The trigger that applied a profile, if one did.
    fn applied(&self, profile: &str) -> Option<&AppliedProfile> {
        self.closure.applied_profiles.iter().find(|applied| applied.profile == profile)
    }

    /// True if the image contains a file that the built-in profile takes.
    fn has_file_of(&self, profile: &str) -> Result<bool, Error> {
        let profile = Profile::builtin(profile)?;
        let takes = profile.take.iter().filter(|take| !take.links_only);
        for pattern in takes.flat_map(|take| take.first.iter().chain(&take.paths)).flat_map(Place::globs) {
            for path in self.image.matching(pattern)? {
                if self.image.follow(path.as_bytes())?.found().is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn database(&self) -> Result<Option<&(dyn Packages + 'a)>, Error> {
        if self.database.get().is_none() {
            let _ = self.database.set(package::open(self.root())?);
        }
        Ok(self.database.get().and_then(Option::as_deref))
    }

    /// The package that contains a file of this name, according to the package database.
    fn package_with(&self, name: &[u8]) -> Result<Option<String>, Error> {
        self.database()?.map_or(Ok(None), |database| database.with_name(name))
    }

    /// The package that owns a file.
    fn owner(&self, path: &RootPath) -> Result<Option<String>, Error> {
        let Some(database) = self.database()? else { return Ok(None) };
        Ok(database.owners(std::slice::from_ref(path))?.remove(path))
    }

    /// A finding about a path, with the reasons why that path is packed.
    fn about(&self, check: &Check, level: Level, subject: &RootPath, says: String) -> Finding {
        let mut finding = Finding::new(check.code, level, subject.to_string(), says);
        finding.because = because(self.closure, subject);
        finding
    }
}

/// Directories whose contents the kernel provides.
const KERNELS: [&[u8]; 3] = [b"/proc", b"/sys", b"/dev"];

fn walk(image: &Root) -> Result<Vec<RootPath>, Error> {
    let is_kernels = |dir: &RootPath| KERNELS.contains(&dir.as_bytes());
    if let Some(mut paths) = image.tree().paths() {
        let is_inside = |path: &RootPath| {
            KERNELS.iter().any(|dir| path.as_bytes().strip_prefix(*dir).is_some_and(|rest| rest.starts_with(b"/")))
        };
        paths.retain(|path| !is_inside(path));
        return Ok(paths);
    }
    let mut found = Vec::new();
    let mut open = vec![RootPath::root()];
    while let Some(dir) = open.pop() {
        for name in image.list(&dir)? {
            let path = dir.join(&name);
            let Some(meta) = image.tree().meta(&path)? else { continue };
            if meta.kind == crate::root::FileKind::Dir && !is_kernels(&path) {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The part of the image that a check covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The objects that the loader loads for the entry.
    Loading,
    /// The whole image: its other files, its user, its environment.
    Image,
}

/// A check: its code, the page that `slimroot explain` prints, and the function that finds the problem.
pub struct Check {
    /// The kebab-case code.
    pub code: &'static str,
    /// The part of the image that it covers.
    pub scope: Scope,
    /// The page: meaning, cause and remedy.
    pub text: &'static str,
    /// Returns the findings of this check.
    pub find: fn(&Evidence<'_>) -> Result<Vec<Finding>, Error>,
}

/// All checks, sorted by code.
pub const CHECKS: &[Check] = &[
    application_missing::CHECK,
    bad_object::CHECK,
    ca_certificates_missing::CHECK,
    ca_expired::CHECK,
    cache_absent::CHECK,
    cache_stale::CHECK,
    command_missing::CHECK,
    command_unknown::CHECK,
    config_architecture::CHECK,
    config_missing::CHECK,
    cpu_level::CHECK,
    dangling_link::CHECK,
    default_dirs_guessed::CHECK,
    dlopen_missing::CHECK,
    dlopen_suggested::CHECK,
    entry_not_executable::CHECK,
    entry_not_readable::CHECK,
    exclude_overruled::CHECK,
    foreign_elf::CHECK,
    healthcheck_missing::CHECK,
    interpreter_missing::CHECK,
    library_entry::CHECK,
    library_for_better_cpu::CHECK,
    library_not_cached::CHECK,
    library_other_machine::CHECK,
    library_other_version::CHECK,
    linker_script::CHECK,
    locale_missing::CHECK,
    low_port::CHECK,
    missing_library::CHECK,
    module_missing::CHECK,
    not_made::CHECK,
    not_packed::CHECK,
    nothing_matched::CHECK,
    nss_service_missing::CHECK,
    preload_failed::CHECK,
    runpath_not_inherited::CHECK,
    runs_as_root::CHECK,
    secret::CHECK,
    set_id::CHECK,
    soname_link_absent::CHECK,
    stale_allow::CHECK,
    static_nss::CHECK,
    symbol_missing::CHECK,
    tmp_missing::CHECK,
    unwinder_missing::CHECK,
    user_not_numeric::CHECK,
    user_unknown::CHECK,
    version_missing::CHECK,
    world_writable::CHECK,
    wrong_machine::CHECK,
    zone_data_missing::CHECK,
];

/// Every check, and every note of the closure.
pub fn checks() -> impl Iterator<Item = &'static Check> + Clone {
    CHECKS.iter().chain(notes::NOTES)
}

/// A level that the user sets for a code, or for one subject of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The code.
    pub code: String,
    /// The subject; `None` for all.
    pub subject: Option<String>,
    /// The new level; `None` drops the finding.
    pub level: Option<Level>,
    /// The user's reason.
    pub why: Option<String>,
}

impl Ranking {
    /// Parses `CODE[=SUBJECT]`.
    ///
    /// # Errors
    /// `unknown-code`, with the most similar known code.
    pub fn parse(text: &str, level: Option<Level>) -> Result<Self, Error> {
        let (code, subject) = match text.split_once('=') {
            Some((code, subject)) => (code, Some(subject.to_owned())),
            None => (text, None),
        };
        let known = || checks().map(|check| check.code).chain(ERROR_CODES.iter().map(|known| known.code));
        if !known().any(|known| known == code) {
            let near = crate::profile::nearest(code, known());
            let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(Error::new("unknown-code", format!("no check has the code {code}{near}"))
                .help("slimroot explain lists the codes"));
        }
        Ok(Self { code: code.to_owned(), subject, level, why: None })
    }

    fn ranks(&self, finding: &Finding) -> bool {
        self.code == finding.code && self.subject.as_ref().is_none_or(|subject| *subject == finding.subject)
    }
}

/// Runs every check.
///
/// # Errors
/// `unreadable`.
pub fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    run(evidence, checks())
}

/// Runs only the checks of the objects that the loader loads for the entry, like `ldd -r`.
///
/// # Errors
/// `unreadable`.
pub fn find_loading(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    run(evidence, CHECKS.iter().filter(|check| check.scope == Scope::Loading))
}

fn run(evidence: &Evidence<'_>, checks: impl Iterator<Item = &'static Check>) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    for check in checks {
        found.extend((check.find)(evidence)?);
    }
    Ok(found)
}

/// Applies the user's levels and sorts: errors first, then by code and subject. An `--allow` that matches nothing is
/// itself a finding.
pub fn rank(mut found: Vec<Finding>, rankings: &[Ranking]) -> Vec<Finding> {
    for ranking in rankings {
        let matched = found.iter().any(|finding| ranking.ranks(finding));
        match ranking.level {
            Some(level) => {
                for finding in found.iter_mut().filter(|finding| ranking.ranks(finding)) {
                    finding.level = level;
                    finding.ranked.clone_from(&ranking.why);
                }
            }
            None => found.retain(|finding| !ranking.ranks(finding)),
        }
        if !matched && ranking.level.is_none() {
            found.push(stale_allow::finding(ranking));
        }
    }
    found.sort_by(|a, b| (b.level, a.code, &a.subject).cmp(&(a.level, b.code, &b.subject)));
    found
}

/// The chain of reasons for a path, one line for each step.
pub(crate) fn because(closure: &Closure, path: &RootPath) -> Vec<String> {
    closure.why(path).iter().map(|edge| format!("{}: {}", edge.to, edge.reason.says(edge.from.as_ref()))).collect()
}

/// The page of a code, for checks and errors.
pub fn explain(code: &str) -> Option<&'static str> {
    let check = checks().find(|check| check.code == code).map(|check| check.text);
    check.or_else(|| ERROR_CODES.iter().find(|known| known.code == code).map(|known| known.text))
}
