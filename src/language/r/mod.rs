//! R: the application's directory, and programs that its sources start: literally, or through a package that is known to
//! start one. Packages are compiled into databases, which are not read. R itself is in the profile.

mod table;

use self::table::table;
use super::source::application as app;
use super::source::interpreters::Tongue;
use super::source::started;
use super::{Call, Certainty, Command, Needs};
use crate::error::Error;
use crate::path::RootPath;
use crate::root::{FileKind, Visit};
use crate::world::tables::Words;

/// Maximum size of a source file that is read.
const MAX_SOURCE: usize = 4 << 20;

pub(super) fn find(call: &Call<'_>) -> Result<Needs, Error> {
    if call.program(|name| Tongue::R.is_run_by(name))?.is_none() {
        return Ok(Needs::default());
    }
    let mut needs = Needs {
        claims: app::plain_claims(call, "application")?,
        notes: app::lone_script_note(call)?.into_iter().collect(),
        ..Needs::default()
    };
    let dirs: Vec<RootPath> = needs.claims.iter().map(|home| home.dir.clone()).collect();
    let scripts: Vec<RootPath> = call.script()?.into_iter().collect();
    let mut texts: Vec<(String, Vec<u8>)> = vec![("an argument".to_owned(), call.args.join("\n").into_bytes())];
    for script in &scripts {
        texts.extend(
            call.root.read_followed(script.as_bytes(), MAX_SOURCE)?.map(|(real, text)| (real.to_string(), text)),
        );
    }
    for dir in &dirs {
        call.root.visit(dir, &mut |path, meta| {
            let is_source = table().documents.end(path.name()) && meta.kind == FileKind::File;
            if is_source && call.root.is_within(path, meta, MAX_SOURCE) {
                texts.push((path.to_string(), call.root.read(path, MAX_SOURCE)?));
            }
            Ok(if app::is_leftover(path) { Visit::Pass } else { Visit::Enter })
        })?;
    }
    for row in &table().package {
        if let Some((place, _)) = texts.iter().find(|(_, text)| is_used(&row.texts, text)) {
            for name in &row.programs {
                let why = format!("{place} uses {}, which starts it", row.name);
                needs.commands.push(Command { name: name.clone(), certainty: Certainty::Likely, why });
            }
            for note in &row.notes {
                if call.root.follow(note.path.as_bytes())?.found().is_some() {
                    needs.notes.push(format!("{place} uses {}: {}", row.name, note.says));
                }
            }
        }
    }
    let sources = started::Sources { dirs: &dirs, scripts: &scripts, modules: &[] };
    started::ask(call, &table().starts, &sources, &mut needs)?;
    Ok(needs)
}

/// True if a line that is no comment has one of the words.
fn is_used(words: &Words, text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| !line.trim_ascii_start().starts_with(b"#") && words.occur_in(line))
}
