//! Programs that Node sources start by name.

use super::packages::{MODULES, Unneeded, is_source};
use super::table::table;
use super::tree;
use crate::error::Error;
use crate::language::source::application as app;
use crate::language::source::interpreters::system_shell;
use crate::language::source::literals::{Named, literals};
use crate::language::source::names::UNPARSED;
use crate::language::source::names::{Calls, Files};
use crate::language::{Call, Certainty, Command, Needs};
use crate::path::RootPath;
use crate::root::{FileKind, Visit};

const MAX_SOURCE: usize = 4 << 20;

/// Programs started by the sources of a Node application and of its packages.
pub(super) fn ask(call: &Call<'_>, homes: &[RootPath], unneeded: &Unneeded, needs: &mut Needs) -> Result<(), Error> {
    let mut named = Named::default();
    let own_dirs = app::dirs(call)?;
    let outside = homes.iter().filter(|home| !own_dirs.iter().any(|dir| home.is_within(dir)));
    for (dir, is_own) in own_dirs.iter().map(|dir| (dir, true)).chain(outside.map(|dir| (dir, false))) {
        let (mut own, mut files, mut package) = (Files::default(), Files::default(), None);
        call.root.visit(dir, &mut |path, meta| {
            if meta.kind == FileKind::File && is_source(path) && call.root.is_within(path, meta, MAX_SOURCE) {
                let text = call.root.read(path, MAX_SOURCE)?;
                let of = package_of(path);
                let inside = &path.as_bytes()[dir.as_bytes().len()..];
                let is_app = is_own && inside.split(|b| *b == b'/').all(|part| part != MODULES);
                if !is_app && of.as_ref().is_some_and(|package| builds(package, path)) {
                    return Ok(Visit::Enter);
                }
                if is_app {
                    named.keep_paths(path, &text);
                    named.keep_beside(call.root, path, &text);
                } else if of != package {
                    read(&mut named, &std::mem::take(&mut files), false);
                    package = of;
                }
                let matters = matters(&text);
                let group = if is_app { &mut own } else { &mut files };
                if let Some(text) = group.add(path, text, matters).filter(|_| matters && is_app) {
                    call.root.leave_unread(path, UNPARSED);
                    scan(&mut named, path, &text);
                }
            }
            let is_out = app::is_leftover(path) || meta.kind == FileKind::Dir && unneeded.holds(call.root, path);
            Ok(if is_out { Visit::Pass } else { Visit::Enter })
        })?;
        read(&mut named, &files, false);
        read(&mut named, &own, true);
    }
    let read: Vec<RootPath> = own_dirs.iter().chain(homes).cloned().collect();
    if let Some(script) = call.lone_script(&read, &[".js", ".cjs", ".mjs"])? {
        let (text, mut own) = (call.root.read(&script, MAX_SOURCE)?, Files::default());
        named.keep_paths(&script, &text);
        named.keep_beside(call.root, &script, &text);
        if table().calls.runs_shell.occur_in(&text) {
            let why = format!("{script} runs a shell");
            needs.commands.push(Command { name: system_shell().to_owned(), certainty: Certainty::Likely, why });
        }
        if let Some(text) = own.add(&script, text, true) {
            call.root.leave_unread(&script, UNPARSED);
            scan(&mut named, &script, &text);
        }
        self::read(&mut named, &own, true);
    }
    named.ask(call, needs)
}

/// The directory of the package that contains a source.
fn package_of(path: &RootPath) -> Option<RootPath> {
    let above = path.ancestors();
    let at = above.iter().rposition(|dir| dir.name() == MODULES)?;
    let is_scoped = above.get(at + 1).is_some_and(|dir| dir.name().starts_with(b"@"));
    above.get(at + 1 + usize::from(is_scoped)).cloned()
}

/// True for a source that builds or tests its package.
fn builds(package: &RootPath, path: &RootPath) -> bool {
    let inside = path.as_bytes().get(package.as_bytes().len() + 1..).unwrap_or_default();
    let first = inside.split(|b| *b == b'/').next().unwrap_or_default();
    let name = String::from_utf8_lossy(first).to_ascii_lowercase();
    let files = &table().calls.build_files;
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    files.contain(stem) || files.contain(&name)
}

/// True if the text has a call of interest.
fn matters(text: &[u8]) -> bool {
    let calls = &table().calls;
    memchr::memmem::find(text, calls.module.as_bytes()).is_some()
        || calls.finders.occur_in(text)
        || calls.options.occur_in(text)
}

fn read(named: &mut Named, files: &Files, is_app: bool) {
    let calls = &table().calls;
    let rules = calls.rules();
    let known = Calls {
        starts: &calls.starts,
        finders: &calls.finders,
        starts_with_name: None,
        opens: None,
        finds: None,
        tools: &calls.tools,
        words: &calls.words,
    };
    let is_option = |callee: &str| is_app && calls.options.contain(callee);
    // `/x/.exec(text)` is no start.
    let is_other = |callee: &str| {
        let object = callee.rsplit_once('.').map(|(object, _)| object);
        let is_method = calls.methods.iter().any(|name| callee.ends_with(name.trim_end_matches('(')));
        !is_app && is_method && object.is_none_or(|object| object != calls.module)
    };
    files.calls(
        tree::parse,
        rules,
        &|callee| is_option(callee) || known.know(callee) && !is_other(callee),
        &mut |found| known.keep(named, &found, is_app, false),
    );
}

/// Scans a source that is too large to be parsed for calls with a literal.
fn scan(named: &mut Named, path: &RootPath, text: &[u8]) {
    let calls = &table().calls;
    if memchr::memmem::find(text, calls.module.as_bytes()).is_some() {
        calls.starts.iter().flat_map(|name| literals(text, name)).for_each(|one| named.keep_start(path, one));
    }
}
