//! The only place that prints: results to stdout, talk to stderr. The same words with and without a terminal.

mod human;
mod page;
mod progress;
mod sarif;
mod tree;

use std::io::{self, Write};

use serde::Serialize;

use super::Format;
use crate::commands::build::{Options, Packed};
use crate::commands::check::{CheckFormat, Checked};
use crate::commands::deps::{Deps, DepsFormat};
use crate::commands::why::Why;
use crate::error::Error;

pub(super) use progress::Progress;

/// Prints a result as bytes. A reader that has gone away has seen enough: that is no error.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::unwritable(&"stdout", error)),
        _ => Ok(()),
    }
}

/// Prints a result as text.
pub(super) fn text(text: &str) -> Result<(), Error> {
    bytes(text.as_bytes())
}

/// Prints a page to be read.
pub(super) fn page(page: &str) -> Result<(), Error> {
    text(&page::wrapped(page))
}

/// Talks on stderr; nobody listening is no error.
fn talk(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn json(value: &impl Serialize) -> Result<(), Error> {
    let mut document = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new("internal", format!("a result is not JSON: {error}")))?;
    document.push('\n');
    text(&document)
}

/// Why the command could not do its work.
pub(super) fn error(error: &Error) {
    talk(&human::error(error));
}

/// The report of a build. With an image on stdout it goes to stderr.
pub(super) fn packed(packed: &Packed, options: &Options) -> Result<(), Error> {
    let to_stdout = packed.outputs.iter().any(|written| written.is_stdout);
    match options.format {
        Format::Json if !to_stdout => json(packed),
        Format::Json => {
            talk(&serde_json::to_string_pretty(packed).unwrap_or_default());
            Ok(())
        }
        Format::Human => {
            talk(&human::findings(&packed.findings));
            let report = human::packed(packed);
            if to_stdout {
                talk(&report);
                return Ok(());
            }
            text(&report)
        }
    }
}

/// What a loader would load.
pub(super) fn deps(deps: &Deps, format: DepsFormat) -> Result<(), Error> {
    match format {
        DepsFormat::Json => json(deps),
        DepsFormat::Tree => {
            text(&tree::tree(deps))?;
            talk(&tree::troubles(deps));
            Ok(())
        }
        DepsFormat::List => {
            text(&tree::list(deps))?;
            talk(&tree::troubles(deps));
            Ok(())
        }
        DepsFormat::Dot => text(&tree::dot(deps)),
    }
}

/// A chain of reasons.
pub(super) fn why(why: &Why, format: Format) -> Result<(), Error> {
    match format {
        Format::Json => json(why),
        Format::Human => text(&human::why(why)),
    }
}

/// What was found.
pub(super) fn checked(checked: &Checked, format: CheckFormat) -> Result<(), Error> {
    match format {
        CheckFormat::Json => json(checked),
        CheckFormat::Sarif => json(&sarif::log(checked)),
        CheckFormat::Human => text(&human::checked(checked)),
    }
}
