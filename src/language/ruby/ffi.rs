//! Libraries that Ruby sources open by name.

use memchr::memmem::find_iter;

use super::table::table;
use crate::error::Error;
use crate::language::source::literals::{MAX_LITERAL, Named};
use crate::language::{Call, Needs};
use crate::path::RootPath;
use crate::root::{FileKind, Visit};

/// Libraries opened by the sources of Ruby gems.
pub(super) fn ask(call: &Call<'_>, dirs: &[RootPath], needs: &mut Needs) -> Result<(), Error> {
    let mut named = Named::default();
    for dir in dirs {
        call.root.visit(dir, &mut |path, meta| {
            if meta.kind == FileKind::File && path.name().ends_with(b".rb") && meta.size < (1 << 20) {
                scan(&mut named, path, &call.root.read(path, 1 << 20)?);
            }
            Ok(Visit::Enter)
        })?;
    }
    named.ask(call, needs)
}

/// Scans a source file: finds the library of `ffi_lib "libz.so.1"`, and the base name in
/// `"/usr/lib/#{arch}/libsass.#{ext}"`.
fn scan(named: &mut Named, path: &RootPath, text: &[u8]) {
    let opens = table().libraries.opens.iter();
    for (at, opens) in opens.flat_map(|opens| find_iter(text, opens).map(move |at| (at, opens))) {
        let line = text[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let rest = text[at + opens.len()..].split(|byte| *byte == b'\n').next().unwrap_or_default();
        let rest = String::from_utf8_lossy(&rest[..rest.len().min(MAX_LITERAL)]).into_owned();
        for quoted in rest.split(['"', '\'']).skip(1).step_by(2) {
            let name = quoted.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
            let (known, is_computed) = name.split_once("#{").map_or((name, false), |(known, _)| (known, true));
            let stem = known.trim_end_matches('.');
            let library = match (stem.starts_with("lib"), stem.contains(".so")) {
                (_, true) => stem.to_owned(),
                (true, false) => format!("{stem}.so"),
                (false, false) => format!("lib{stem}.so"),
            };
            if stem.len() > 1 && (!is_computed || known.ends_with('.')) {
                named.keep_exact(path, library, line);
            }
        }
    }
}
