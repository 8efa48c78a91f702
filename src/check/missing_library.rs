//! A needed library that the loader does not find. Cases with a known cause have their own codes.

use std::collections::BTreeMap;

use super::install::search;
use super::{Check, Evidence, Scope, because};
use crate::closure::{Reason, Started};
use crate::error::Error;
use crate::finding::{Finding, Level, Searched};
use crate::loader::{Cause, Diagnosis, LibraryNames, Missing, Step, diagnose};
use crate::path::{RootPath, show};
use crate::root::Root;

pub(super) const CHECK: Check = Check {
    code: "missing-library",
    scope: Scope::Loading,
    text: "A program or library needs a shared library that its loader does not find in the root. The program ends at \
           its start with \"error while loading shared libraries\" (glibc) or \"Error loading shared library\" \
           (musl).\n\nThe finding lists every place that the loader searches, in order, and the places that it does not \
           search, with the reason. If the library is elsewhere in the root, the help names the path. If not, install \
           the package that contains it in the builder stage. If the exact cause is known, the finding has another \
           code: library-not-cached, library-other-machine, library-other-version, library-for-better-cpu, \
           runpath-not-inherited, soname-link-absent, linker-script.\n\nAn extension module that the application \
           imports in every run, at the top level of its sources, is part of the program, so a library that it lacks is \
           an error. For other plug-ins and extension modules added by a pattern this is a warning, because they may \
           never be loaded. For files added by a package or profile it is a note. Use --allow missing-library=NAME to \
           ignore one library.",
    find: |evidence| Ok(of_code(evidence.diagnoses()?, CHECK.code)),
};

/// The code of each cause.
fn code(cause: &Cause) -> &'static str {
    match cause {
        Cause::Absent | Cause::Elsewhere | Cause::Unusable => CHECK.code,
        Cause::OtherMachine => super::library_other_machine::CHECK.code,
        Cause::NotCached => super::library_not_cached::CHECK.code,
        Cause::OtherVersion => super::library_other_version::CHECK.code,
        Cause::NotInherited => super::runpath_not_inherited::CHECK.code,
        Cause::LinkAbsent => super::soname_link_absent::CHECK.code,
        Cause::LinkerScript => super::linker_script::CHECK.code,
        Cause::BetterCpu => super::library_for_better_cpu::CHECK.code,
    }
}

/// The findings with this code.
pub(super) fn of_code(all: &[Finding], code: &str) -> Vec<Finding> {
    all.iter().filter(|finding| finding.code == code).cloned().collect()
}

/// Every missing library, each with the code of its cause.
pub(super) fn diagnoses(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    // Errors first, because a library is reported only once.
    let mut processes: Vec<&Started> = evidence.closure.processes.iter().collect();
    processes.sort_by_key(|started| !started.required && import_of(evidence, started).is_none());
    let wanted =
        processes.into_iter().flat_map(|started| started.process.missing.iter().map(move |missing| (started, missing)));
    // Listing the whole root for the hints is expensive: do it only if a library is missing.
    let mut names: Option<LibraryNames> = None;
    let mut more = BTreeMap::<String, usize>::new();
    for (started, missing) in wanted {
        let requester = &started.process.loaded[missing.needed_by];
        let name = show(&missing.name).into_owned();
        let wanted_by = show(&requester.path).into_owned();
        let packed = packed_as(evidence, &missing.name);
        let import = import_of(evidence, started);
        let level = match (started.required || import.is_some() && packed.is_none(), &packed) {
            (true, _) => Level::Error,
            // The program that opens the plug-in has loaded this library before, and the loader does not search again
            // for a loaded name.
            (false, Some(_)) => Level::Note,
            // Files that the user asked for should work. Files of a package may miss an optional dependency.
            (false, None) if is_asked_for(evidence, &requester.real) => Level::Warning,
            (false, None) => Level::Note,
        };
        // Plug-ins of one kind miss the same library: report it once.
        let is_known = |known: &&mut Finding| {
            known.subject == name
                && (level < Level::Error || import.is_some() || known.wanted_by.as_ref() == Some(&wanted_by))
        };
        if let Some(known) = found.iter_mut().find(is_known) {
            known.level = known.level.max(level);
            if known.wanted_by.as_ref() != Some(&wanted_by) {
                *more.entry(name).or_default() += 1;
            }
            continue;
        }
        let mut finding = Finding::new(CHECK.code, level, name.clone(), says(missing, &Cause::Absent));
        finding.wanted_by = Some(wanted_by);
        if let (Level::Note, Some(place)) = (level, packed) {
            finding.says = format!("{name} is found only after {place} has been loaded: it is not in the search path");
        } else if level == Level::Note {
            finding.says = format!("{} cannot be loaded: {name} is not in the root", show(&requester.path));
        } else {
            finding.because = because(evidence.closure, &requester.real);
            finding.searched = searched(missing);
            let names = match &mut names {
                Some(known) => known,
                unread => unread.insert(LibraryNames::read(evidence.root())?),
            };
            let Diagnosis { cause, mut help } = diagnose(names, evidence.objects, &started.process, missing)?;
            finding.code = code(&cause);
            finding.says = says(missing, &cause);
            let package = match cause {
                Cause::Absent | Cause::Elsewhere => package_help(evidence, &missing.name)?,
                _ => None,
            };
            // The last line says that some package has it.
            match (&package, &cause) {
                (Some(_), Cause::Absent) => drop(help.pop()),
                (None, Cause::Absent | Cause::OtherVersion) => add_search(evidence.root(), &missing.name, &mut help)?,
                _ => {}
            }
            finding.help = package.into_iter().chain(help).collect();
            if let Some(import) = import.filter(|_| level == Level::Error) {
                finding.says.push_str(&format!(": {import}, which loads {}", show(&started.process.subject().path)));
            }
        }
        found.push(finding);
    }
    for finding in &mut found {
        if let (Some(count), Some(wanted_by)) = (more.get(&finding.subject), &mut finding.wanted_by) {
            wanted_by.push_str(&format!(" and {count} more"));
        }
    }
    Ok(found)
}

/// Adds, to the advice to install the package of a library, the command that finds the package.
pub(crate) fn add_search(root: &Root, name: &[u8], help: &mut [String]) -> Result<(), Error> {
    if let (Some(last), Some(command)) = (help.last_mut(), search(root, &show(name))?) {
        last.push_str(&format!(" ({command})"));
    }
    Ok(())
}

/// Suggests how to get a library from a package. A package that owns the file comes first, even if there is a copy
/// elsewhere.
fn package_help(evidence: &Evidence<'_>, name: &[u8]) -> Result<Option<String>, Error> {
    if let Some(package) = evidence.package_with(name)? {
        let says = format!("the package {package} contains it, but the file is missing: reinstall the package");
        return Ok(Some(says));
    }
    evidence.install(&show(name))
}

/// The import that loads this plug-in in every run.
fn import_of<'a>(evidence: &'a Evidence<'_>, started: &Started) -> Option<&'a String> {
    evidence.closure.imported.get(&started.process.subject().real)
}

/// True if a pattern of the user added the file.
fn is_asked_for(evidence: &Evidence<'_>, path: &RootPath) -> bool {
    evidence.closure.reasons(path).any(|edge| matches!(*edge.reason, Reason::Included { .. }))
}

/// Finds a packed file with this name.
fn packed_as<'a>(evidence: &'a Evidence<'_>, name: &[u8]) -> Option<&'a RootPath> {
    evidence.closure.graph.nodes().keys().find(|path| path.name() == name)
}

fn says(missing: &Missing, cause: &Cause) -> String {
    let name = show(&missing.name);
    match cause {
        Cause::Absent => format!("{name} is not in the root"),
        Cause::Elsewhere => format!("{name} exists, but outside the loader's search path"),
        Cause::OtherMachine => format!("{name} exists only for another machine or word size"),
        Cause::NotCached => format!("{name} exists, but the loader's cache does not list it"),
        Cause::OtherVersion => format!("{name} is not in the root, but another version of it is"),
        Cause::NotInherited => {
            format!("{name} is in a DT_RUNPATH directory of another object, and DT_RUNPATH is not inherited")
        }
        Cause::LinkAbsent => format!("{name} exists only under another file name"),
        Cause::LinkerScript => format!("{name} is a linker script, not a library"),
        Cause::Unusable => format!("{name} exists, but the loader finds an unusable file first"),
        Cause::BetterCpu => format!("{name} exists only for a higher CPU level"),
    }
}

/// The steps of a search in the form that findings show.
pub fn searched(missing: &Missing) -> Vec<Searched> {
    let shown = |step: &Step| Searched {
        source: step.source.as_str(),
        candidate: show(&step.candidate).into_owned(),
        outcome: step.outcome.to_string(),
    };
    missing.search.steps.iter().map(shown).collect()
}
