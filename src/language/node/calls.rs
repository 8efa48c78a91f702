//! Programs that Node sources start by a literal name.

use super::table::table;
use crate::error::Error;
use crate::language::source::application as app;
use crate::language::source::literals::{Named, literals};
use crate::language::{Call, Needs};
use crate::path::RootPath;
use crate::root::{FileKind, Visit};

/// Programs started by the sources of a Node application. The sources of its packages are not scanned.
pub(super) fn ask(call: &Call<'_>, needs: &mut Needs) -> Result<(), Error> {
    let mut named = Named::default();
    for dir in app::dirs(call)? {
        call.root.visit(&dir, &mut |path, meta| {
            let is_source = [&b".js"[..], b".mjs", b".cjs"].iter().any(|end| path.name().ends_with(end));
            if meta.kind == FileKind::File && is_source && meta.size < (4 << 20) {
                scan(&mut named, path, &call.root.read(path, 4 << 20)?);
            }
            let is_out = path.name() == b"node_modules" || app::is_leftover(path);
            Ok(if is_out { Visit::Pass } else { Visit::Enter })
        })?;
    }
    named.ask(call, needs)
}

fn scan(named: &mut Named, path: &RootPath, text: &[u8]) {
    let calls = &table().calls;
    if memchr::memmem::find(text, calls.module.as_bytes()).is_some() {
        calls.starts.iter().flat_map(|name| literals(text, name)).for_each(|one| named.keep_start(path, one));
    }
}
