//! Programs and libraries among the calls of parsed sources.

use super::evaluate::{Found, Value, is_call};
use crate::language::source::alike::Partial;
use crate::language::source::literals::{Literal, Named};
use crate::world::tables::Words;

/// The calls of a language that are of interest.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    /// Functions that take a program or a shell command.
    pub(crate) starts: &'static Words,
    /// Functions that look up a program.
    pub(crate) finders: &'static Words,
    /// Beginnings of those whose list of arguments begins with the name of the program.
    pub(crate) starts_with_name: Option<&'static Words>,
    /// Functions that open a library by its file name, and those that look it up by the middle of its name.
    pub(crate) opens: Option<&'static Words>,
    pub(crate) finds: Option<&'static Words>,
    /// Names of programs that count only in an application.
    pub(crate) tools: &'static Words,
    pub(crate) words: &'static Words,
}

impl Calls {
    /// True for a callee of interest.
    pub(crate) fn know(&self, callee: &str) -> bool {
        let is_in = |words: Option<&Words>| words.is_some_and(|words| is_call(words, callee));
        is_in(Some(self.starts)) || is_in(Some(self.finders)) || is_in(self.opens) || is_in(self.finds)
    }

    /// Records what a call starts or opens. Programs of an optional module, and programs that only an application
    /// starts, are reported.
    pub(crate) fn keep(&self, named: &mut Named, found: &Found<'_>, is_app: bool, is_optional: bool) {
        let (path, line) = (&found.module.path, found.site.line);
        let is_in = |words: Option<&Words>| words.is_some_and(|words| is_call(words, &found.callee));
        for value in &found.values {
            let literal = Literal { is_tried: found.site.is_guarded, ..Literal::plain(&value.text, line) };
            if is_in(self.opens) {
                if !value.is_open {
                    library(named, found, literal, is_app);
                }
            } else if is_in(self.finds) {
                let text = format!("lib{}.so", value.text);
                if !value.is_open && !value.text.is_empty() {
                    named.keep_library(path, Literal { text, ..literal }, false);
                }
            } else if is_known(value) {
                let mut args = if is_in(Some(self.starts)) { value.args.clone() } else { Vec::new() };
                // The first item in such a list of arguments is argv[0], not an argument.
                let is_name = self.starts_with_name.is_some_and(|words| words.begin(&found.callee));
                args.drain(..usize::from(is_name).min(args.len()));
                // A word with arguments is a command.
                let has_arguments = !args.is_empty() || value.text.contains(" -");
                let program = value.text.split(char::is_whitespace).next().unwrap_or_default();
                let program = program.rsplit('/').next().unwrap_or_default();
                match is_app {
                    true => named.keep_start(path, Literal { args, ..literal }),
                    false if self.words.contain(program) && !has_arguments => {}
                    false if is_optional || found.site.is_guarded || self.tools.contain(program) => {
                        named.keep_offer(path, literal);
                    }
                    false => named.keep_package_start(path, literal),
                }
            }
        }
    }
}

/// True if at least the program of a command is known, or most of its name.
fn is_known(value: &Value) -> bool {
    let first = value.text.split(char::is_whitespace).next().unwrap_or_default();
    let is_whole = !value.is_open || !first.contains("{}") && first.len() < value.text.len();
    !first.is_empty() && (is_whole || Partial::of(first).is_some())
}

/// A library that is opened: under its name, and as cffi does it, under what find_library finds for it.
fn library(named: &mut Named, found: &Found<'_>, literal: Literal, is_app: bool) {
    let path = &found.module.path;
    let is_file = literal.text.contains(".so");
    if !is_file && !literal.text.contains('/') && !literal.text.is_empty() {
        let text = format!("lib{}.so", literal.text);
        named.keep_library(path, Literal { text, ..literal.clone() }, false);
    }
    let is_wanted = is_app && !literal.is_tried && is_file && found.values.len() == 1;
    named.keep_library(path, literal, is_wanted);
}
