//! Tables of programs in a package's data: lines with a name and the path of a program, such as `%__tar /usr/bin/tar` in
//! the macros of rpm. Which of them are started, the input of the program decides, so they are told and not packed.

use std::collections::{BTreeMap, BTreeSet};

use super::{On, Rule};
use crate::closure::Companions;
use crate::closure::demand::Demand;
use crate::closure::message::Message;
use crate::closure::state::State;
use crate::closure::worklist::Fact;
use crate::error::Error;
use crate::language::Certainty;
use crate::path::RootPath;
use crate::root::FileKind;
use crate::world::tables::system;

/// Maximum size of a table that is read, and of all tables of a package.
const MAX_TABLE: u64 = 256 << 10;
const MAX_TABLES: u64 = 4 << 20;
/// Directories of data, besides those of helpers.
const DATA: &str = "/usr/share";

pub(super) const RULE: Rule = Rule {
    id: "package-tables",
    about: "Tells of programs that packed data of a program's package list, each behind a name and by its path.",
    brings_packages: false,
    facts: &[On::Changed],
    on,
};

fn on(state: &State<'_>, _: Fact) -> Result<Vec<Demand>, Error> {
    let answer = state.news.to_string();
    if state.request.companions == Companions::None || state.is_done(RULE.id, &answer) {
        return Ok(Vec::new());
    }
    let mut demands = vec![Demand::Done(answer)];
    let Some(database) = state.world.database()? else { return Ok(demands) };
    let mut packages = BTreeMap::new();
    for started in state.processes.as_slice().iter().filter(|started| started.certainty == Certainty::Sure) {
        let program = &started.process.loaded[0].real;
        if !state.world.starts_programs(program)? {
            continue;
        }
        let Some(own) = state.world.owner(program)? else { continue };
        for part in database.same_source_dependencies(&own).into_iter().chain([own]) {
            packages.entry(part).or_insert_with(|| program.clone());
        }
    }
    for (package, program) in packages {
        tables(state, &program, &package, &mut demands)?;
    }
    Ok(demands)
}

/// Reads the packed data of a package.
fn tables(state: &State<'_>, program: &RootPath, package: &str, demands: &mut Vec<Demand>) -> Result<(), Error> {
    let root = state.world.root;
    let mut left = MAX_TABLES;
    for path in state.world.contents(package)?.iter().filter(|path| is_data(path)) {
        let Some(meta) = root.meta(path)?.filter(|meta| meta.kind == FileKind::File && meta.mode & 0o111 == 0) else {
            continue;
        };
        let answer = path.to_string();
        let is_other = state.claims.cover(path) || !state.graph.contains(path);
        if meta.size > MAX_TABLE || is_other || state.is_done(RULE.id, &answer) {
            continue;
        }
        if meta.size > left {
            root.leave_unread(program, format!("of the data of its package {package}, {MAX_TABLES} bytes are read"));
            break;
        }
        left -= meta.size;
        demands.push(Demand::Done(answer));
        let text = root.read(path, usize::try_from(meta.size).unwrap_or(0))?;
        if text.contains(&0) {
            continue;
        }
        let mut seen = BTreeSet::new();
        for (at, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            let Some(named) = row(line).filter(|named| seen.insert(named.clone())) else { continue };
            let followed = root.follow(named.as_bytes())?;
            if followed.file().is_some_and(|(_, meta)| meta.mode & 0o111 != 0) && !state.is_excluded(&named) {
                let why = format!("{path}:{} names it", at + 1);
                demands.push(Demand::Report(Message::Offered { program: named, why }));
            }
        }
    }
    Ok(())
}

/// True for the path of a file of data that no other program reads, and that is no source.
fn is_data(path: &RootPath) -> bool {
    let is_there = system().helpers.cover(path) || path.as_bytes().starts_with(DATA.as_bytes());
    is_there && !system().not_run.cover(path) && !system().is_source(path)
}

/// The program in a line of a table: a name, and then its path.
fn row(line: &str) -> Option<RootPath> {
    let mut words = line.split(|c: char| c.is_whitespace() || "\"'=".contains(c)).filter(|word| !word.is_empty());
    let (name, path) = (words.next()?, words.next()?);
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_%.:-".contains(c));
    RootPath::new(path).filter(|path| is_name && system().commands.cover(path))
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn a_row_is_a_name_and_the_path_of_a_program() {
        let program = |line| row(line).map(|path| path.to_string());
        assert_eq!(program("%__tar\t\t/usr/bin/tar").as_deref(), Some("/usr/bin/tar"));
        assert_eq!(program("gzip.path = \"/bin/gzip\" -9").as_deref(), Some("/bin/gzip"));
        for line in ["# /usr/bin/tar", "/usr/bin/tar x", "tar tar", "tar /usr/share/tar", "(tar) /bin/tar", ""] {
            assert_eq!(program(line), None, "{line}");
        }
    }
}
