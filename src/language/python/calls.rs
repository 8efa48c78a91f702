//! Programs and libraries that Python sources start or open by name.

use super::table::table;
use super::tree;
use crate::language::source::literals::{Literal, Named, literals};
use crate::language::source::names::{Calls, Files, Rules};
use crate::path::RootPath;

/// True if the text has a call of interest.
pub(super) fn matters(text: &[u8]) -> bool {
    let calls = &table().calls;
    [&calls.signs, &calls.starts, &calls.finders, &calls.opens, &calls.finds].iter().any(|words| words.occur_in(text))
}

/// Reads the sources of an application or of a package.
pub(super) fn read(named: &mut Named, files: &Files, is_app: bool) {
    let calls = &table().calls;
    let rules = Rules { same: &calls.same, joins: &calls.joins };
    let known = Calls {
        starts: &calls.starts,
        finders: &calls.finders,
        starts_with_name: Some(&calls.starts_with_name),
        opens: Some(&calls.opens),
        finds: Some(&calls.finds),
        tools: &calls.tools,
        words: &calls.words,
    };
    files.calls(tree::parse, rules, &|callee| known.know(callee), &mut |found| {
        let is_optional = calls.optional.end(found.module.path.as_bytes());
        known.keep(named, &found, is_app, is_optional);
    });
}

/// Scans a source that is too large to be parsed for calls with a literal.
pub(super) fn scan(named: &mut Named, path: &RootPath, text: &[u8], is_app: bool) {
    let calls = &table().calls;
    for literal in calls.starts.iter().flat_map(|name| literals(text, name)) {
        let program = literal.text.split(char::is_whitespace).next().unwrap_or_default();
        let is_tool = calls.tools.contain(program.rsplit('/').next().unwrap_or_default());
        match is_app {
            true => named.keep_start(path, literal),
            false if is_tool => named.keep_offer(path, literal),
            false => named.keep_package_start(path, literal),
        }
    }
    for literal in calls.opens.iter().flat_map(|name| literals(text, name)).filter(|literal| !literal.is_open) {
        let is_wanted = is_app && !literal.is_tried && literal.text.contains(".so");
        named.keep_library(path, literal, is_wanted);
    }
    for literal in calls.finds.iter().flat_map(|name| literals(text, name)).filter(|literal| !literal.is_open) {
        let library = format!("lib{}.so", literal.text);
        named.keep_library(path, Literal { text: library, ..literal }, false);
    }
}
