//! Sources that the application requires in every run and that are not there, above all the autoloader that Composer
//! makes (the manual, require and include_path).

use crate::error::Error;
use crate::language::source::lookup::lookup;
use crate::language::source::reach::{Reach, first_of_each};
use crate::language::source::statements::{Prose, first_column};
use crate::language::{Call, MissingModule};
use crate::path::RootPath;

const PROSE: Prose = Prose { block: ("/*", "*/"), ends: &["__halt_compiler();"], here: "<<<" };

/// The sources that are required and missing.
pub(super) fn find(call: &Call<'_>, script: Option<&RootPath>) -> Result<Vec<MissingModule>, Error> {
    let (mut found, mut open) = (Vec::new(), Vec::new());
    if let Some(script) = script {
        open.extend(call.root.follow(script.as_bytes())?.file().map(|(real, _)| real.clone()));
    }
    let mut reach = Reach::from(open);
    while let Some((file, text)) = reach.next(call.root)? {
        let own = file.parent().unwrap_or_else(RootPath::root);
        if lookup().php.changes_search.occur_in(text.as_bytes()) {
            continue;
        }
        for (line, path) in required(&text, &own) {
            match place(call, &own, &path)? {
                Some(real) if !real.ancestors().iter().any(|dir| lookup().php.packages.as_bytes() == dir.name()) => {
                    reach.add([real]);
                }
                Some(_) => {}
                None => {
                    let is_composer = path.ends_with(lookup().php.autoloader.as_str());
                    let help = match is_composer {
                        true => "run `composer install --no-dev` in the builder stage, in the application's directory",
                        false => "copy the file into the builder stage",
                    };
                    let says = format!("{file}:{line} requires {path}, which does not exist");
                    let help = help.to_owned();
                    found.push(MissingModule { module: path, file: file.clone(), says, help });
                }
            }
        }
    }
    Ok(first_of_each(found))
}

/// The file that a path leads to: from the directories of include_path, or from the directory of the source.
fn place(call: &Call<'_>, own: &RootPath, path: &str) -> Result<Option<RootPath>, Error> {
    let mut dirs = vec![call.cwd.clone(), own.clone()];
    dirs.extend(lookup().php.places.iter().filter_map(RootPath::new));
    for dir in &dirs {
        if let Some((real, _)) = call.root.follow_from(dir, path.as_bytes())?.file() {
            return Ok(Some(real.clone()));
        }
    }
    Ok(None)
}

/// The paths that statements in the first column require, with their lines.
fn required(text: &str, own: &RootPath) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in first_column(text, &PROSE) {
        let line = line.strip_prefix("<?php").map_or(line, str::trim_start);
        // `$kernel = require …` runs too, but `return require …` of a settings file may never.
        let rest = line.strip_prefix("require_once").or_else(|| line.strip_prefix("require"));
        let Some(rest) = rest.map(|rest| rest.trim_start_matches([' ', '('])) else { continue };
        let Some((expression, _)) = rest.split_once(';') else { continue };
        found.extend(path_of(expression.trim_end_matches([' ', ')']), own).map(|path| (at, path)));
    }
    found
}

/// The path that an expression is: a string, or one behind the directory of the source.
fn path_of(expression: &str, own: &RootPath) -> Option<String> {
    let above = own.parent().unwrap_or_else(RootPath::root);
    let heads =
        [("dirname(__DIR__)", above.to_string()), ("dirname(__FILE__)", own.to_string()), ("__DIR__", own.to_string())];
    let head = heads.iter().find_map(|(head, dir)| Some((expression.strip_prefix(head)?, dir.trim_end_matches('/'))));
    let (rest, dir) = match head {
        Some((rest, dir)) => (rest.trim_start().strip_prefix('.')?.trim_start(), dir),
        None => (expression, ""),
    };
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let text = rest[1..].strip_suffix(quote)?;
    let is_literal = !text.is_empty() && !text.contains(['$', quote, '\\']) && !text.contains("://");
    is_literal.then(|| format!("{dir}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_that_every_run_requires_are_seen() {
        let text = "<?php require 'a.php';\nrequire_once __DIR__ . '/../vendor/autoload.php';\nrequire(dirname(__DIR__) . \
                    \"/b.php\");\nif ($x) {\n    require 'no.php';\n}\nrequire $no;\nrequire \"no/$x.php\";\n/*\nrequire \
                    'no.php';\n*/\nrequire __DIR__ . '/' . NO . '.php';\n";
        let own = RootPath::new("/app/public").expect("a path");
        let paths: Vec<String> = required(text, &own).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["a.php", "/app/public/../vendor/autoload.php", "/app/b.php"]);
    }
}
