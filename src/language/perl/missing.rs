//! Modules that the application uses in every run and that no directory of the module path has (perlfunc(1), use and
//! require; perlrun(1), PERL5LIB and -I).

use std::collections::BTreeSet;

use super::{OWN_DIRECTORY, statements, used};
use crate::error::Error;
use crate::language::source::lookup::lookup;
use crate::language::source::reach::{Reach, first_of_each};
use crate::language::source::statements::{Prose, first_column};
use crate::language::{Call, MissingModule, Needs};
use crate::path::RootPath;
use crate::root::RootGlob;

const MAX_SOURCE: usize = 1 << 20;
const PROSE: Prose = Prose { block: ("=", "=cut"), ends: &["__END__", "__DATA__"], here: "<<" };

/// The modules that are used and missing. `dirs` are those that options, variables and scripts add to the module path.
pub(super) fn find(
    call: &Call<'_>,
    scripts: &[RootPath],
    dirs: &[String],
    needs: &Needs,
) -> Result<Vec<MissingModule>, Error> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for script in scripts {
        open.extend(call.root.follow(script.as_bytes())?.file().map(|(real, _)| real.clone()));
    }
    let mut own: Vec<RootPath> = Vec::new();
    for dir in dirs.iter().filter(|dir| !dir.is_empty()) {
        own.extend(call.dir(dir)?);
    }
    own.extend(needs.claims.iter().flat_map(|claim| [claim.dir.clone(), claim.dir.join(b"lib")]));
    let mut system: Option<BTreeSet<RootPath>> = None;
    let mut reach = Reach::from(open);
    while let Some((file, text)) = reach.next(call.root)? {
        let above = file.parent().unwrap_or_else(RootPath::root);
        for dir in used(&text, &above.to_string(), "/root") {
            own.extend(call.dir(&dir)?.filter(|dir| !own.contains(dir)));
        }
        let is_judged = !is_computed(&text);
        for (line, module) in modules(&text) {
            let path = format!("{}.pm", module.replace("::", "/"));
            if let Some(local) = first(call, own.iter().chain([&above]), &path)? {
                reach.add([local]);
                continue;
            }
            if system.is_none() {
                system = Some(library(call)?);
            }
            let Some(system) = system.as_ref().filter(|dirs| is_judged && !dirs.is_empty()) else { continue };
            if first(call, system.iter(), &path)?.is_none() && first(call, deep(call, &own)?.iter(), &path)?.is_none() {
                let help =
                    "install its distribution in the builder stage, with cpanm or the package manager".to_owned();
                found.push(MissingModule::import(&file, line, module.to_owned(), "Perl", help));
            }
        }
    }
    Ok(first_of_each(found))
}

/// The files of the modules that scripts load, under a condition too, relative to a directory of modules.
pub(super) fn loaded(call: &Call<'_>, scripts: &[RootPath]) -> Result<Vec<String>, Error> {
    let mut found = BTreeSet::new();
    for script in scripts {
        let Some((_, text)) = call.root.read_followed(script.as_bytes(), MAX_SOURCE)? else { continue };
        let text = String::from_utf8_lossy(&text).into_owned();
        let statements = text.lines().flat_map(|line| line.split([';', '{'])).map(str::trim);
        for rest in statements.filter_map(|line| line.strip_prefix("use ").or_else(|| line.strip_prefix("require "))) {
            let rest = rest.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':')).unwrap_or(rest.len());
            if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                found.insert(format!("{}.pm", rest[..end].replace("::", "/")));
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// True if a source adds directories that are known only at run time, or defines modules itself.
fn is_computed(text: &str) -> bool {
    let plain = |statement: &str| OWN_DIRECTORY.iter().fold(statement.to_owned(), |text, name| text.replace(name, ""));
    lookup().perl.changes_search.occur_in(text.as_bytes())
        || statements(text).iter().any(|(statement, _)| plain(statement).contains('$'))
}

/// The modules that statements in the first column use, with their lines.
fn modules(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in first_column(text, &PROSE) {
        for statement in line.split(';').map(str::trim) {
            let rest = statement.strip_prefix("use ").or_else(|| statement.strip_prefix("require "));
            let Some(rest) = rest.map(str::trim_start) else { continue };
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':')).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let is_version = name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_version && !name.ends_with(':');
            let is_plain = after.is_empty() || after.starts_with([' ', '(', '\t']);
            let is_certain = ![" if ", " unless ", " or ", " and "].iter().any(|word| after.contains(word));
            if is_name && is_plain && is_certain && !text.contains(&format!("package {name}")) {
                found.push((at, name));
            }
        }
    }
    found
}

/// Directories of the standard library and of installed modules; none if they were not found.
fn library(call: &Call<'_>) -> Result<BTreeSet<RootPath>, Error> {
    let mut prefixes: BTreeSet<String> = BTreeSet::from(["/usr".to_owned(), "/usr/local".to_owned()]);
    if let Some((_, real)) = call.program(|_| true)? {
        let above = real.parent().and_then(|dir| dir.parent());
        prefixes.extend(above.map(|dir| RootGlob::literal(&dir)));
    }
    let mut dirs = BTreeSet::new();
    for prefix in &prefixes {
        for end in lookup().perl.library.iter() {
            dirs.extend(call.root.matching(&RootGlob::new(&format!("{prefix}/{end}"))?)?);
        }
    }
    for dir in lookup().perl.places.iter() {
        dirs.extend(call.root.follow(dir.as_bytes())?.dir().cloned());
    }
    match first(call, dirs.iter(), &lookup().perl.always)? {
        Some(_) => Ok(dirs),
        None => Ok(BTreeSet::new()),
    }
}

/// Directories of a version or a machine below those of the module path.
fn deep(call: &Call<'_>, dirs: &[RootPath]) -> Result<Vec<RootPath>, Error> {
    let mut found = Vec::new();
    for dir in dirs {
        for depth in ["*", "*/*"] {
            found.extend(call.root.matching(&RootGlob::new(&format!("{}/{depth}", RootGlob::literal(dir)))?)?);
        }
    }
    Ok(found)
}

/// The file of this name in the first directory that has it.
fn first<'d>(call: &Call<'_>, dirs: impl Iterator<Item = &'d RootPath>, path: &str) -> Result<Option<RootPath>, Error> {
    for dir in dirs {
        if let Some((real, _)) = call.root.follow(dir.join(path.as_bytes()).as_bytes())?.file() {
            return Ok(Some(real.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modules_that_every_run_uses_are_seen() {
        let text = "use strict; use v5.10;\nuse 5.010;\nuse JSON::XS qw(a);\nrequire Two;\nrequire 'no.pl';\nuse $no;\neval { \
                    require No };\n  use No;\n=pod\nuse No;\n=cut\npackage Own;\nuse Own;\nuse Three 1.2;\n__END__\nuse No;\n";
        let names: Vec<&str> = modules(text).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["strict", "JSON::XS", "Two", "Three"]);
    }
}
