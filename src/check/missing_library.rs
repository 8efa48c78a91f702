//! A library that is needed and found nowhere; its kin with a known cause have codes of their own.

use std::collections::BTreeMap;

use super::{Check, Evidence, Scope, because};
use crate::closure::Reason;
use crate::error::Error;
use crate::finding::{Finding, Level, Searched};
use crate::loader::{Cause, Diagnosis, LibraryNames, Missing, Step, diagnose};
use crate::path::{RootPath, show};

pub(super) const CHECK: Check = Check {
    code: "missing-library",
    scope: Scope::Loading,
    text: "A program or library needs a shared library that its loader would not find in the root. The program dies at \
           its start with \"error while loading shared libraries\" (glibc) or \"Error loading shared library\" (musl).\n\n\
           The finding lists every place the loader looks at, in its order, and those it does not look at, with the \
           reason. If the root holds the library elsewhere, the help names the place. If not, install the package that \
           holds it in the builder stage. Where the cause is known better the code is another one: library-not-cached, \
           library-other-machine, library-other-version, library-for-better-cpu, runpath-not-inherited, \
           soname-link-absent, linker-script.\n\n\
           For files that a pattern brought in (plug-ins, extension modules) this is a warning, because they may never be \
           loaded, and for what came with a package or profile a note. --allow missing-library=NAME lets one name pass.",
    find: |evidence| Ok(of_code(evidence.lost()?, CHECK.code)),
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

/// Those of one code.
pub(super) fn of_code(all: &[Finding], code: &str) -> Vec<Finding> {
    all.iter().filter(|finding| finding.code == code).cloned().collect()
}

/// Every missing library, each with the code of its cause.
pub(super) fn lost(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let mut found: Vec<Finding> = Vec::new();
    let wanted = || {
        evidence
            .closure
            .processes
            .iter()
            .flat_map(|started| started.process.missing.iter().map(move |missing| (started, missing)))
    };
    // The whole root is listed for hints only if there is something to hint at.
    let mut names: Option<LibraryNames> = None;
    let mut more = BTreeMap::<String, usize>::new();
    for (started, missing) in wanted() {
        let requester = &started.process.loaded[missing.needed_by];
        let name = show(&missing.name).into_owned();
        let wanted_by = show(&requester.path).into_owned();
        let packed = packed_as(evidence, &missing.name);
        let level = match (started.required, &packed) {
            (true, _) => Level::Error,
            // Whoever opens the plug-in has opened that one before: a name that is loaded is not searched.
            (false, Some(_)) => Level::Note,
            // What the user asked for should work; what a package brought may lack what it only recommends.
            (false, None) if is_asked_for(evidence, &requester.real) => Level::Warning,
            (false, None) => Level::Note,
        };
        // Plug-ins of one kind want the same things: one of them speaks for all.
        let is_known = |known: &&mut Finding| {
            known.subject == name
                && (level < Level::Error && known.level < Level::Error || known.wanted_by.as_ref() == Some(&wanted_by))
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
            finding.says = format!("{name} answers only once {place} is loaded: no search would find it");
        } else if level == Level::Note {
            finding.says =
                format!("{name} is not in the root: a plug-in that came with a package or profile cannot be loaded");
        } else {
            finding.because = because(evidence.closure, &requester.real);
            finding.searched = searched(missing);
            let names = match &mut names {
                Some(known) => known,
                unread => unread.insert(LibraryNames::read(evidence.root())?),
            };
            let Diagnosis { cause, help } = diagnose(names, evidence.objects, &started.process, missing)?;
            finding.code = code(&cause);
            finding.says = says(missing, &cause);
            finding.help = help;
            if cause == Cause::Absent
                && let Some(package) = evidence.package_with(&missing.name)?
            {
                finding
                    .help
                    .insert(0, format!("the package {package} has it, but the file is gone: install that again"));
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

/// Whether a pattern of the user's brought a file in.
fn is_asked_for(evidence: &Evidence<'_>, path: &RootPath) -> bool {
    evidence.closure.reasons(path).any(|edge| matches!(*edge.reason, Reason::Included { .. }))
}

/// A file of the image with this name.
fn packed_as<'a>(evidence: &'a Evidence<'_>, name: &[u8]) -> Option<&'a RootPath> {
    evidence.closure.graph.nodes().keys().find(|path| path.name() == name)
}

fn says(missing: &Missing, cause: &Cause) -> String {
    let name = show(&missing.name);
    match cause {
        Cause::Absent => format!("{name} is not in the root"),
        Cause::Elsewhere => format!("{name} lies where the loader does not look for it"),
        Cause::OtherMachine => format!("{name} is only there for another machine or word size"),
        Cause::NotCached => format!("{name} is there, but not in the loader's cache"),
        Cause::OtherVersion => format!("{name} is not in the root, another version of it is"),
        Cause::NotInherited => format!("{name} lies in a directory that DT_RUNPATH does not pass on"),
        Cause::LinkAbsent => format!("{name} is there under another file name only"),
        Cause::LinkerScript => format!("{name} is a linker script, not a library"),
        Cause::Unusable => format!("{name} is there, but the loader cannot use the file it comes to"),
        Cause::BetterCpu => format!("{name} is only there for better CPUs"),
    }
}

/// The trail of a search, as shown.
pub fn searched(missing: &Missing) -> Vec<Searched> {
    let shown = |step: &Step| Searched {
        source: step.source.as_str(),
        candidate: show(&step.candidate).into_owned(),
        outcome: step.outcome.to_string(),
    };
    missing.search.steps.iter().map(shown).collect()
}
