//! Settings that other settings name: `@includedir /etc/NAME.d`, `!include /etc/NAME/local.cnf`. The grammars of profiles
//! know more; this rule reads every settings file that is packed, line by line. Programs that they name are started.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::beside_program::is_library;
use super::named_paths::{is_elsewhere, is_readable, is_shared};
use super::{On, Rule};
use crate::closure::demand::{Demand, Host};
use crate::closure::message::{Message, Note};
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::closure::{Companions, NodeKind, Reason};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, RootGlob};
use crate::world::is_library_dir;
use crate::world::tables::system;

/// Maximum size of a settings file that is read.
const MAX_SETTINGS: usize = 256 << 10;
/// The directory of settings.
const SETTINGS: &str = "/etc/";
/// Directories of data that settings may name.
const DATA: [&str; 3] = ["/var/", "/srv/", SETTINGS];
/// Directories in which programs make files: logs, sockets, numbers of processes.
const PLACES: [&str; 2] = ["/var/", "/run/"];
/// Maximum number of files named by one file of settings that are told.
const MAX_TOLD: usize = 8;
/// Maximum number of programs that settings without a package start; a longer list is one of what may be started.
const MAX_PROGRAMS: usize = 4;

pub(super) const RULE: Rule = Rule {
    id: "named-settings",
    about: "Packs files and directories in /etc that packed settings include, and programs that they name, and tells of \
            other files that they name.",
    brings_packages: true,
    facts: &[On::Changed],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let mut demands = Vec::new();
    let Some(first) = RootPath::new(SETTINGS).filter(|_| state.request.companions != Companions::None) else {
        return Ok(demands);
    };
    let packed = state.graph.nodes().range(first.clone()..).take_while(|(path, _)| path.is_within(&first));
    let mut open: Vec<RootPath> =
        packed.filter(|(_, node)| matches!(node, NodeKind::File(_))).map(|(path, _)| path.clone()).collect();
    let mut seen = BTreeSet::new();
    while let Some(settings) = open.pop() {
        let answer = settings.to_string();
        if state.is_done(RULE.id, &answer) || !seen.insert(settings.clone()) {
            continue;
        }
        demands.push(Demand::Done(answer));
        let Some(text) = text(state, &settings)? else { continue };
        for pattern in text.lines().flat_map(paths).collect::<BTreeSet<_>>() {
            open.extend(included(state, &settings, &pattern, &mut demands)?);
        }
        report(state, &settings, &text, &mut demands)?;
    }
    Ok(demands)
}

/// The text of a file of settings; `None` for other files.
fn text(state: &State<'_>, settings: &RootPath) -> Result<Option<String>, Error> {
    let root = state.world.root;
    // Other rules read programs, such as scripts of services, and the settings of applications.
    let is_program = root.meta(settings)?.is_none_or(|meta| meta.mode & 0o111 != 0);
    if is_program || state.claims.cover(settings) {
        return Ok(None);
    }
    // A file that cannot be read is replaced later, as the list of passwords is, or else ends the build when it is packed.
    let Ok(Some((_, text))) = root.read_followed(settings.as_bytes(), MAX_SETTINGS) else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    Ok((!text.contains('\0')).then(|| text.into_owned()))
}

/// Tells of files that the settings of a program name and that are not packed, unless a profile knows the grammar.
fn report(state: &State<'_>, settings: &RootPath, text: &str, demands: &mut Vec<Demand>) -> Result<(), Error> {
    // Settings of a package that nothing brings are there for others, such as /etc/ssl.
    let owner = state.world.owner(settings)?;
    if state.is_known_to_a_profile(settings) || owner.map_or(Ok(false), |owner| is_of_others(state, &owner))? {
        return Ok(());
    }
    // Scripts that a shell or an editor reads decide for themselves what they open.
    if text.lines().any(|line| ["fi", "esac", "done"].contains(&line.trim()) || line.starts_with('(')) {
        return Ok(());
    }
    programs(state, settings, text, demands)?;
    plug_ins(state, settings, text, demands)?;
    places(state, settings, text, demands)?;
    let mut seen = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        for path in data(line).into_iter().filter_map(RootPath::new) {
            let followed = state.world.root.follow(path.as_bytes())?;
            let Some((real, _)) = followed.file() else { continue };
            let is_other =
                system().not_run.cover(real) || system().of_the_builder.cover(real) || system().logs.cover(real);
            if is_other || state.is_excluded(real) || seen.len() >= MAX_TOLD || !seen.insert(real.clone()) {
                continue;
            }
            let says = format!(
                "{settings}:{} names {path}, which is not packed; if it is needed: --include '{path}' adds it",
                at + 1
            );
            let note = Note::new("setting-not-packed", path.to_string(), says).unless(real.clone());
            // Once for all settings that name it.
            demands.push(Demand::Report(Message::Note(note.slot(format!("setting {path}")))));
        }
    }
    Ok(())
}

/// True for a package that nothing packed brings, neither itself nor another one of its source.
fn is_of_others(state: &State<'_>, package: &String) -> Result<bool, Error> {
    let brought = &state.brought_names;
    let database = state.world.database()?;
    let is_same = |one: &String| database.is_some_and(|database| database.is_same_source(one, package));
    Ok(!brought.contains(package) && !brought.iter().any(is_same))
}

/// Starts the programs that settings name: those of packages that their own may use, or those of settings that belong to
/// no package, if they are few. Others are reported.
fn programs(state: &State<'_>, settings: &RootPath, text: &str, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let owner = state.world.owner(settings)?;
    let needed = owner.as_ref().map_or(Ok(None), |owner| state.world.needed_by(owner))?;
    let mut named = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        for path in program_words(line).into_iter().filter_map(RootPath::new) {
            let followed = state.world.root.follow(path.as_bytes())?;
            let is_program = followed.file().is_some_and(|(_, meta)| meta.mode & 0o111 != 0);
            if is_program && !state.is_excluded(&path) {
                named.entry(path).or_insert(at + 1);
            }
        }
    }
    for (path, line) in &named {
        let followed = state.world.root.follow(path.as_bytes())?;
        let theirs = followed.file().map_or(Ok(None), |(real, _)| state.world.owner(real))?;
        let is_wanted = match (&owner, &needed, &theirs) {
            (None, ..) => named.len() <= MAX_PROGRAMS,
            (Some(_), Some(needed), Some(theirs)) => needed.contains(theirs),
            _ => false,
        };
        let why = format!("{settings}:{line} names it");
        demands.push(match is_wanted {
            true => Demand::Start(state.start_by(settings, path, why, false)),
            false => Demand::Report(Message::Offered { program: path.clone(), why }),
        });
    }
    Ok(())
}

/// Packs directories in /var and /run that settings name, or in which they name a file, without contents: a program that
/// cannot make its log or its socket there does not start.
fn places(state: &State<'_>, settings: &RootPath, text: &str, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let root = state.world.root;
    let mut dirs = BTreeSet::new();
    for path in text.lines().flat_map(place_words).filter_map(RootPath::new) {
        let is_dir = root.follow(path.as_bytes())?.dir().is_some();
        let Some(dir) = (if is_dir { Some(path) } else { path.parent() }) else { continue };
        let is_meant = root.follow(dir.as_bytes())?.dir().is_some_and(|real| !is_shared(real));
        if is_meant && !state.claims.cover(&dir) && !state.is_excluded(&dir) {
            dirs.insert(dir);
        }
    }
    for dir in dirs {
        let reason = Arc::new(Reason::Names { text: dir.as_bytes().to_vec() });
        let (from, path) = (Some(settings.clone()), dir.as_bytes().to_vec());
        demands.push(Demand::Path { from, cwd: RootPath::root(), path, reason, host: Host::None });
    }
    Ok(())
}

/// Packs libraries, and directories with libraries, that settings without a package name: a program opens them.
fn plug_ins(state: &State<'_>, settings: &RootPath, text: &str, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let root = state.world.root;
    if state.world.owner(settings)?.is_some() {
        return Ok(());
    }
    let is_comment = |line: &&str| line.trim_start().starts_with(['#', ';']);
    let words = text.lines().filter(|line| !is_comment(line)).flat_map(|line| {
        line.split(|c: char| c.is_whitespace() || "\"'=,:;()<>[]".contains(c)).filter(|word| word.len() > 1)
    });
    for path in words.filter(|word| word.starts_with('/')).filter_map(RootPath::new).collect::<BTreeSet<_>>() {
        let followed = root.follow(path.as_bytes())?;
        let Some((real, meta)) = followed.found() else { continue };
        let is_meant = match meta.kind {
            FileKind::File => is_library(real.name()),
            FileKind::Dir if is_library_dir(real) || system().shared.contain(real) || real.is_root() => false,
            FileKind::Dir => root.list(real)?.iter().any(|name| is_library(name)),
            _ => false,
        };
        if is_meant && !state.is_excluded(&path) {
            let reason = Arc::new(Reason::Names { text: path.as_bytes().to_vec() });
            demands.push(Demand::Tree { start: path, reason, without: None, host: Host::Main, by: None });
        }
    }
    Ok(())
}

/// The paths of programs in a line that is no comment, behind the name of the setting.
fn program_words(line: &str) -> Vec<&str> {
    let line = line.trim_start();
    if line.starts_with(['#', ';', '/', '*']) {
        return Vec::new();
    }
    let words = line.split(|c: char| c.is_whitespace() || "\"'=,;()<>|".contains(c)).filter(|word| !word.is_empty());
    let is_program = |word: &&str| RootPath::new(word).is_some_and(|path| system().commands.cover(&path));
    words.skip(1).filter(|word| word.starts_with('/')).filter(is_program).collect()
}

/// The paths in a line that is no comment in which a program makes files, behind the name of the setting.
fn place_words(line: &str) -> Vec<&str> {
    let line = line.trim_start();
    if line.starts_with(['#', ';', '/', '*']) {
        return Vec::new();
    }
    let words = line.split(|c: char| c.is_whitespace() || "\"'=,:;()<>|".contains(c)).filter(|word| !word.is_empty());
    words.skip(1).filter(|word| PLACES.iter().any(|top| word.starts_with(top) && word.len() > top.len())).collect()
}

/// The paths of data in a line that is no comment.
fn data(line: &str) -> Vec<&str> {
    if line.trim_start().starts_with(['#', ';', '/', '*']) {
        return Vec::new();
    }
    let words = line.split(|c: char| c.is_whitespace() || "\"'=,;()<>".contains(c));
    words.filter(|word| DATA.iter().any(|top| word.starts_with(top) && word.len() > top.len())).collect()
}

/// The paths in a line that includes other settings: all if the line says so, else directories named as such are,
/// and patterns.
fn paths(line: &str) -> Vec<String> {
    let line = line.trim();
    let is_include = line.to_ascii_lowercase().contains("include");
    let is_comment = line.starts_with(['#', ';']) && !line[1..].starts_with("include");
    let is_end = |c: char| c.is_whitespace() || "\"'=,;()<>".contains(c);
    let words = line.split(is_end).filter(|word| word.starts_with(SETTINGS) && word.len() > SETTINGS.len());
    let words = words.map(|word| word.trim_end_matches(['/', ':']));
    let counts = |word: &&str| !is_comment && (is_include || word.ends_with(".d") || word.contains('*'));
    words.filter(counts).map(str::to_owned).collect()
}

/// Adds the files that a pattern, a path or a directory stands for, and returns them.
fn included(
    state: &State<'_>,
    settings: &RootPath,
    text: &str,
    demands: &mut Vec<Demand>,
) -> Result<Vec<RootPath>, Error> {
    let root = state.world.root;
    let Ok(glob) = RootGlob::new(text) else { return Ok(Vec::new()) };
    let mut add = |path: &RootPath| {
        let reason = Arc::new(Reason::Names { text: text.as_bytes().to_vec() });
        let (from, path) = (Some(settings.clone()), path.as_bytes().to_vec());
        demands.push(Demand::Path { from, cwd: RootPath::root(), path, reason, host: Host::None });
    };
    let mut below = Vec::new();
    for path in root.matching(&glob)? {
        match root.follow(path.as_bytes())?.found() {
            Some((real, meta)) if meta.kind == FileKind::Dir && !text.contains('*') && !is_elsewhere(state, real) => {
                add(&path);
                below.extend(root.list(real)?.iter().map(|name| path.join(name)));
            }
            _ => below.push(path),
        }
    }
    let own = state.world.owner(settings)?;
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for path in below {
        let followed = root.follow(path.as_bytes())?;
        let Some((real, meta)) = followed.file() else { continue };
        let is_settings = real.as_bytes().starts_with(SETTINGS.as_bytes());
        if !is_settings || meta.mode & 0o111 != 0 || is_elsewhere(state, &path) || is_elsewhere(state, real) {
            continue;
        }
        // Settings of a package without other packed files are for programs that are not in the image.
        let owner = state.world.owner(real)?;
        if owner.is_some_and(|owner| Some(&owner) != own.as_ref() && !state.brought_names.contains(&owner)) {
            continue;
        }
        if is_readable(meta) {
            add(&path);
            found.push(real.clone());
        } else {
            left.push(real.clone());
        }
    }
    if !left.is_empty() {
        let (object, pattern) = (settings.clone(), glob.as_str().to_owned());
        demands.push(Demand::Report(Message::Withheld { object, pattern, files: left }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{data, paths, place_words, program_words};

    #[test]
    fn places_are_paths_behind_a_name() {
        assert_eq!(place_words("logfile = /var/log/own/own.log"), ["/var/log/own/own.log"]);
        assert_eq!(place_words("listen unix:/run/own.sock;"), ["/run/own.sock"]);
        assert_eq!(place_words("#pid /run/own/pid"), [""; 0]);
        assert_eq!(place_words("/var/log/own/*.log {"), [""; 0]);
    }

    #[test]
    fn programs_are_words_behind_a_name() {
        assert_eq!(program_words("copy\t/usr/bin/rsync"), ["/usr/bin/rsync"]);
        assert_eq!(program_words("Run=\"/bin/a -x\" | /usr/bin/b"), ["/bin/a", "/usr/bin/b"]);
        assert_eq!(program_words("/bin/sh"), [""; 0]);
        assert_eq!(program_words("#copy /bin/cp"), [""; 0]);
        assert_eq!(program_words("dir /etc/own"), [""; 0]);
    }

    #[test]
    fn data_are_told_from_comments() {
        assert_eq!(data("Filename: /var/cache/own/own.dat"), ["/var/cache/own/own.dat"]);
        assert_eq!(data("cert=\"/etc/own/a.pem\";"), ["/etc/own/a.pem"]);
        assert_eq!(data("# /var/lib/own"), [""; 0]);
        assert_eq!(data("/etc/own/* rw,"), [""; 0]);
    }

    #[test]
    fn lines_that_include_are_told_from_comments_and_other_paths() {
        assert_eq!(paths("@includedir /etc/own.d"), ["/etc/own.d"]);
        assert_eq!(paths("#includedir /etc/own.d/"), ["/etc/own.d"]);
        assert_eq!(paths("# see /etc/own.d"), [""; 0]);
        assert_eq!(paths("!include \"/etc/own/a.cnf\";"), ["/etc/own/a.cnf"]);
        assert_eq!(paths("conf-dir=/etc/own.d,.bak"), ["/etc/own.d"]);
        assert_eq!(paths("load /etc/own/*.conf"), ["/etc/own/*.conf"]);
        assert_eq!(paths("certificate /etc/own/a.pem"), [""; 0]);
        assert_eq!(paths("#"), [""; 0]);
    }
}
