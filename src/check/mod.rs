//! Checks: what is wrong, or will surprise, in a closure. One file a code, each with a constant that names it, explains
//! it and finds it; a new check is a new file and a line in [`CHECKS`].

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
mod entry_not_executable;
mod entry_not_readable;
mod foreign_elf;
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
mod not_made;
mod not_packed;
mod notes;
mod nothing_matched;
mod nss_service_missing;
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
mod user_unknown;
mod version_missing;
mod world_writable;
mod wrong_machine;
mod zone_data_missing;

pub use missing_library::searched;

use std::cell::OnceCell;

use crate::closure::{Closure, Fired};
use crate::error::{ERROR_CODES, Error};
use crate::finding::{Finding, Level};
use crate::loader::{Objects, Role};
use crate::package::{self, Packages};
use crate::path::RootPath;
use crate::plan::{Identity, RunSettings};
use crate::profile::{Place, Profile};
use crate::root::{Meta, Root};

/// What a check looks at.
pub struct Evidence<'a> {
    /// The ELF files of the root that was resolved in.
    pub objects: &'a Objects<'a>,
    /// What was found there.
    pub closure: &'a Closure,
    /// The image: the planned one, or the finished one that is being looked at.
    pub image: &'a Root,
    /// How the image is run. For a finished image the user may be a name.
    pub run: &'a RunSettings,
    /// Whether the image is finished, so that nothing can be added to it.
    pub is_finished: bool,
    lost: OnceCell<Vec<Finding>>,
    files: OnceCell<Vec<(RootPath, Meta)>>,
    database: OnceCell<Option<Box<dyn Packages + 'a>>>,
}

impl<'a> Evidence<'a> {
    /// What is known of an image.
    pub fn new(
        objects: &'a Objects<'a>,
        closure: &'a Closure,
        image: &'a Root,
        run: &'a RunSettings,
        is_finished: bool,
    ) -> Self {
        let (lost, files, database) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { objects, closure, image, run, is_finished, lost, files, database }
    }

    /// Where the files come from.
    pub fn root(&self) -> &'a Root {
        self.objects.root()
    }

    /// Every missing library with the code of its cause: several checks share the search for it.
    fn lost(&self) -> Result<&[Finding], Error> {
        if self.lost.get().is_none() {
            let _ = self.lost.set(missing_library::lost(self)?);
        }
        Ok(self.lost.get().map_or(&[], Vec::as_slice))
    }

    /// Every entry of the image; directories of the kernel are passed over.
    fn files(&self) -> Result<&[(RootPath, Meta)], Error> {
        if self.files.get().is_none() {
            let _ = self.files.set(walk(self.image)?);
        }
        Ok(self.files.get().map_or(&[], Vec::as_slice))
    }

    /// The image's user in numbers; `None` for a name that the image does not know.
    fn identity(&self) -> Result<Option<Identity>, Error> {
        Identity::of(&self.run.user, self.image)
    }

    /// Whether the image's /etc/passwd has a line with this number.
    fn knows_user(&self, uid: &str) -> Result<bool, Error> {
        Identity::is_known(uid, self.image)
    }

    /// The image's user as shown.
    fn user_shown(&self) -> &str {
        if self.run.user.is_empty() { "root" } else { &self.run.user }
    }

    /// What the kernel executes: entries, the interpreters of scripts, and loaders.
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

    /// The sign by which a profile was applied, if it was.
    fn fired(&self, profile: &str) -> Option<&Fired> {
        self.closure.fired.iter().find(|fired| fired.profile == profile)
    }

    /// Whether the image holds a file that a compiled-in profile takes.
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

    /// The package whose list has a file of this name.
    fn package_with(&self, name: &[u8]) -> Result<Option<String>, Error> {
        self.database()?.map_or(Ok(None), |database| database.with_name(name))
    }

    /// The package that a file came with.
    fn owner(&self, path: &RootPath) -> Result<Option<String>, Error> {
        let Some(database) = self.database()? else { return Ok(None) };
        Ok(database.owners(std::slice::from_ref(path))?.remove(path))
    }

    /// A finding about how the entry is started, with the reasons for the file it is about.
    fn about(&self, check: &Check, level: Level, subject: &RootPath, says: String) -> Finding {
        let mut finding = Finding::new(check.code, level, subject.to_string(), says);
        finding.because = because(self.closure, subject);
        finding
    }
}

fn walk(image: &Root) -> Result<Vec<(RootPath, Meta)>, Error> {
    let mut found = Vec::new();
    let mut open = vec![RootPath::root()];
    while let Some(dir) = open.pop() {
        for name in image.list(&dir)? {
            let path = dir.join(&name);
            let is_kernels = dir.is_root() && matches!(name.as_slice(), b"proc" | b"sys" | b"dev");
            let Some(meta) = image.tree().meta(&path)? else { continue };
            if meta.kind == crate::root::FileKind::Dir && !is_kernels {
                open.push(path.clone());
            }
            found.push((path, meta));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// How much a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What the loader loads for the entry.
    Loading,
    /// The whole image: its other files, its user, its environment.
    Image,
}

/// A check: its code, the page that `slimroot explain` prints, and what it finds.
pub struct Check {
    /// The kebab-case code.
    pub code: &'static str,
    /// How much it looks at.
    pub scope: Scope,
    /// What it means and what to do.
    pub text: &'static str,
    /// Finds it.
    pub find: fn(&Evidence<'_>) -> Result<Vec<Finding>, Error>,
}

/// Every check, by code.
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
    foreign_elf::CHECK,
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

/// The user's word on the level of a code, or of one subject of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The code.
    pub code: String,
    /// The subject; `None` for all.
    pub subject: Option<String>,
    /// The level it gets; `None` drops it.
    pub level: Option<Level>,
    /// Why, in the user's words.
    pub why: Option<String>,
}

impl Ranking {
    /// Reads `CODE[=SUBJECT]`.
    ///
    /// # Errors
    /// `unknown-code` with the nearest known one.
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

/// Runs only the checks of what the loader loads for the entry, as `ldd -r` does.
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

/// Applies the user's rankings, and sorts: errors first, then by code and subject. An exception that matches nothing is
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

/// The chain of reasons for a path, one clause a step.
pub(crate) fn because(closure: &Closure, path: &RootPath) -> Vec<String> {
    closure.why(path).iter().map(|edge| format!("{}: {}", edge.to, edge.reason.says(edge.from.as_ref()))).collect()
}

/// The page of a code, be it a check's or an error's.
pub fn explain(code: &str) -> Option<&'static str> {
    let check = checks().find(|check| check.code == code).map(|check| check.text);
    check.or_else(|| ERROR_CODES.iter().find(|known| known.code == code).map(|known| known.text))
}
