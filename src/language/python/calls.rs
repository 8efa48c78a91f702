//! Programs and libraries that Python sources start or open by a literal name.

use super::table::table;
use crate::language::source::literals::{Literal, Named, literals};
use crate::path::RootPath;

/// Scans a source file.
pub(super) fn scan(named: &mut Named, path: &RootPath, text: &[u8], is_app: bool) {
    let calls = &table().calls;
    for name in calls.starts.iter() {
        for mut literal in literals(text, name) {
            let program = literal.text.split(char::is_whitespace).next().unwrap_or_default();
            let is_tool = calls.tools.contain(program.rsplit('/').next().unwrap_or_default());
            // The first item in such a list of arguments is argv[0], not an argument.
            let skipped = usize::from(calls.starts_with_name.begin(name)).min(literal.args.len());
            literal.args.drain(..skipped);
            if is_app {
                named.keep_start(path, literal);
            } else if !is_tool {
                named.keep_package_start(path, literal);
            }
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
