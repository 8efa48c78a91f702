//! A library that is needed and found nowhere.

use std::collections::BTreeMap;

use super::{Check, Evidence, because};
use crate::closure::Reason;
use crate::error::Error;
use crate::finding::{Finding, Level, Searched};
use crate::loader::{Missing, Process, Step};
use crate::path::{RootPath, show};
use crate::root::{FileKind, Root};

pub(super) const CHECK: Check = Check {
    code: "missing-library",
    text: "A program or library needs a shared library that its loader would not find in the root. The program dies at \
           its start with \"error while loading shared libraries\" (glibc) or \"Error loading shared library\" (musl).\n\n\
           The finding lists every place the loader looks at, in its order, and those it does not look at, with the \
           reason. If the root holds the library elsewhere, the help names the place: add its directory to \
           LD_LIBRARY_PATH (--env), run ldconfig in the builder stage after editing /etc/ld.so.conf, or link with a \
           run path. If not, install the package that holds it in the builder stage.\n\n\
           For files that a pattern brought in (plug-ins, extension modules) this is a warning, because they may never be \
           loaded, and for what came with a package or profile a note. --allow missing-library=NAME lets one name pass.",
    find,
};

/// Names looked at when the root is searched for a lost library; a root of a million files is searched only so far.
const MAX_NAMES: usize = 1_000_000;
/// Places named in a hint.
const MAX_PLACES: usize = 3;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
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
        let mut finding = Finding::new(CHECK.code, level, name.clone(), says(missing));
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
                unread => unread.insert(LibraryNames::read(evidence.root)?),
            };
            finding.help = hints(names, &started.process, missing);
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
    evidence.closure.reasons(path).any(|edge| matches!(edge.reason, Reason::Included { .. }))
}

/// A file of the image with this name.
fn packed_as<'a>(evidence: &'a Evidence<'_>, name: &[u8]) -> Option<&'a RootPath> {
    evidence.closure.nodes.keys().find(|path| path.name() == name)
}

fn says(missing: &Missing) -> String {
    let name = show(&missing.name);
    match missing.reason() {
        "bad-file" => format!("{name} is there, but the loader cannot use the file it comes to"),
        "wrong-class" => format!("{name} is only there for another word size"),
        "wrong-machine" => format!("{name} is only there for another machine"),
        "cpu-level" => format!("{name} is only there for better CPUs"),
        _ => format!("{name} is not where the loader looks for it"),
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

/// Where shared libraries lie in a root, by file name.
pub struct LibraryNames(Vec<RootPath>);

impl LibraryNames {
    /// Lists every name of the root that looks like a library's; directories of the kernel are passed over.
    ///
    /// # Errors
    /// `unreadable` if an entry may not be looked at.
    pub fn read(root: &Root) -> Result<Self, Error> {
        let mut found = Vec::new();
        let mut open = vec![RootPath::root()];
        let mut seen = 0;
        while let Some(dir) = open.pop() {
            // What may not be listed holds no hint; it is no reason to stop.
            for name in root.list(&dir).unwrap_or_default() {
                seen += 1;
                let path = dir.join(&name);
                let is_kernels = dir.is_root() && matches!(name.as_slice(), b"proc" | b"sys" | b"dev");
                match root.tree().meta(&path)?.map(|meta| meta.kind) {
                    Some(FileKind::Dir) if !is_kernels && seen < MAX_NAMES => open.push(path),
                    Some(FileKind::File | FileKind::Link) if name.windows(3).any(|part| part == b".so") => {
                        found.push(path);
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(Self(found))
    }

    fn named(&self, name: &[u8]) -> Vec<&RootPath> {
        self.0.iter().filter(|path| path.name() == name).take(MAX_PLACES).collect()
    }

    /// Other versions of the same library: `libssl.so.1.1` for `libssl.so.3`.
    fn relatives(&self, name: &[u8]) -> Vec<&RootPath> {
        let Some(stem) = name.windows(3).position(|part| part == b".so") else { return Vec::new() };
        let stem = &name[..stem + 3];
        let is_relative = |path: &&RootPath| path.name().starts_with(stem) && path.name() != name;
        self.0.iter().filter(is_relative).take(MAX_PLACES).collect()
    }
}

/// What would help, from what the root holds.
pub fn hints(names: &LibraryNames, process: &Process, missing: &Missing) -> Vec<String> {
    let mut help = Vec::new();
    let base = missing.name.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let name = show(base);
    let places = names.named(base);
    for place in &places {
        let was_tried = missing.search.steps.iter().any(|step| step.candidate == place.as_bytes());
        if was_tried {
            help.push(format!("the root holds {place}, which the loader passes over: see the trail"));
            continue;
        }
        let dir = place.parent().unwrap_or_else(RootPath::root);
        let covering = process.loaded.iter().find(|object| {
            let runpath = object.elf.runpath.as_deref().unwrap_or_default();
            runpath.split(|b| *b == b':').any(|element| RootPath::new(element).as_ref() == Some(&dir))
        });
        if let Some(object) = covering {
            help.push(format!(
                "the root holds {place}: {} has that directory in its DT_RUNPATH, which serves its own needs only and is not \
                 inherited",
                show(&object.path)
            ));
        }
        help.push(format!(
            "the root holds {place}: try --env LD_LIBRARY_PATH={dir}, or run ldconfig {dir} in the builder stage"
        ));
    }
    if places.is_empty() {
        for relative in names.relatives(base) {
            help.push(format!(
                "the root holds another version: {relative}; the program was built against another release"
            ));
        }
        help.push(format!(
            "install the package that holds {name} in the builder stage (apt-file search {name}, apk search so:{name}, dnf \
             provides '*/{name}')"
        ));
    }
    help
}
