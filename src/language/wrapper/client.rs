//! Commands of clients of databases in their arguments, and in files that these name: they load libraries, read further
//! files and start programs.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::language::source::interpreters::shell_words;
use crate::language::source::literals::literals;
use crate::language::source::wrapped;
use crate::language::{Call, Library, Needs, Start};
use crate::world::tables::imports;

/// Maximum size of a file of commands, and number of such files.
const MAX_FILE: usize = 1 << 20;
const MAX_FILES: usize = 64;

/// Adds what the commands of a client name.
pub(super) fn commands(call: &Call<'_>, name: &str, args: &[String], needs: &mut Needs) -> Result<(), Error> {
    let Some(client) = wrapped::client(name) else { return Ok(()) };
    let mut texts: Vec<(String, String)> = args.iter().map(|text| (text.clone(), "an argument".to_owned())).collect();
    let mut files: Vec<String> =
        args.windows(2).filter(|pair| client.files.contain(&pair[0])).map(|pair| pair[1].clone()).collect();
    let mut seen = BTreeSet::new();
    loop {
        while let Some((text, place)) = texts.pop() {
            for line in text.lines().map(str::trim) {
                let value = |names: &[String]| {
                    let rest = names.iter().find_map(|name| line.strip_prefix(name.as_str()));
                    rest.filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim)
                };
                let first = |rest: &str| crate::config::arguments(rest).into_iter().next();
                if let Some(library) = value(&client.loads).and_then(first) {
                    needs.libraries.push(opened(call, &library, format!("{place} of {name} loads it")));
                } else if let Some(file) = value(&client.reads).and_then(first) {
                    files.push(file);
                } else if let Some(command) = value(&client.runs) {
                    needs.starts.push(Start {
                        is_exec: false,
                        ..Start::of(call, shell_words(command), format!("{place} of {name} starts it"))
                    });
                }
            }
            for literal in imports().loads_extensions.iter().flat_map(|call| literals(text.as_bytes(), call)) {
                needs.libraries.push(opened(call, &literal.text, format!("{place} of {name} loads it")));
            }
        }
        let Some(file) = files.pop() else { return Ok(()) };
        let Some(real) = call.file(&file)?.filter(|real| !seen.contains(real)) else { continue };
        if seen.len() >= MAX_FILES {
            needs.cut(format!("{name} reads more than {MAX_FILES} files of commands: {real} was not read"));
            return Ok(());
        }
        needs.files.push((real.clone(), format!("{name} reads it")));
        let text = call.root.read(&real, MAX_FILE)?;
        texts.push((String::from_utf8_lossy(&text).into_owned(), real.to_string()));
        seen.insert(real);
    }
}

/// A library under the name that is given, or with the ending that the client appends.
fn opened(call: &Call<'_>, name: &str, why: String) -> Library {
    let whole = match name.contains('/') && !name.starts_with('/') {
        true => format!("{}/{}", call.cwd, name.trim_start_matches("./")),
        false => name.to_owned(),
    };
    Library { names: vec![whole.clone(), format!("{whole}.so")], is_wanted: true, why }
}
