//! The only module that prints: results go to stdout, messages to stderr. On a terminal, the same text is coloured and
//! wrapped between words.

mod diff;
mod human;
mod page;
mod progress;
mod proof;
mod sarif;
mod style;
mod text;
mod tree;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::Format;
use crate::commands::build::Options;
use crate::commands::check::{CheckFormat, Checked};
use crate::commands::deps::{Deps, DepsFormat};
use crate::commands::diff::{DiffFormat, Options as DiffOptions};
use crate::commands::explain::Explained;
use crate::commands::verify::{Options as VerifyOptions, ProofFormat};
use crate::commands::why::Why;
use crate::error::Error;
use crate::finding::Finding;
use crate::ledger::{Diff, Outdated};
use crate::output::WrittenIndex;
use crate::pack::Packed;
use crate::proof::Proof;

pub(super) use progress::Progress;
pub(super) use style::{Color, Style, set};
use text::Text;

/// Prints a result as bytes. It is not an error if the reader has closed the pipe.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::unwritable(&"stdout", error)),
        _ => Ok(()),
    }
}

/// Prints a result that is in a file, and findings to stderr. It is not an error if the reader has closed the pipe.
pub(super) fn file(mut file: std::fs::File, findings: &[Finding]) -> Result<(), Error> {
    talk(&human::findings(findings));
    let mut stdout = io::stdout().lock();
    match io::copy(&mut file, &mut stdout).and_then(|_| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::unwritable(&"stdout", error)),
        _ => Ok(()),
    }
}

/// Prints notes besides the result.
pub(super) fn notes(notes: &[String]) {
    let mut lines = Text::default();
    if !style::get().is_quiet {
        notes.iter().for_each(|note| lines.line(format!("note: {note}")));
    }
    talk(&lines);
}

/// Prints a result as text.
fn print(text: &Text) -> Result<(), Error> {
    bytes(style::shown(text, &io::stdout()).as_bytes())
}

/// Prints text of several lines.
pub(super) fn text(text: &str) -> Result<(), Error> {
    let mut lines = Text::default();
    lines.lines(text);
    print(&lines)
}

/// Prints the explanation of a message, with the findings about it.
pub(super) fn explained(explained: &Explained) -> Result<(), Error> {
    let mut lines = Text::default();
    lines.lines(&page::wrapped(&explained.page, style::width(&io::stdout())));
    lines.add(&human::findings(&explained.findings));
    print(&lines)
}

/// Prints messages to stderr; write errors are ignored.
fn talk(text: &Text) {
    let _ = io::stderr().lock().write_all(style::shown(text, &io::stderr()).as_bytes());
}

/// A JSON document that is safe to print.
fn document(value: &impl Serialize) -> Result<String, Error> {
    let document = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new("internal", format!("a result is not JSON: {error}")))?;
    Ok(crate::text::json(&document).into_owned() + "\n")
}

fn json(value: &impl Serialize) -> Result<(), Error> {
    bytes(document(value)?.as_bytes())
}

/// Prints why the command failed.
pub(super) fn error(error: &Error) {
    talk(&human::error(error));
}

/// Prints the report of a build, to stderr if the image goes to stdout.
pub(super) fn packed(packed: &Packed, options: &Options) -> Result<(), Error> {
    let to_stdout = packed.outputs.iter().any(|written| written.is_stdout);
    match options.format {
        Format::Json if !to_stdout => json(packed),
        Format::Json => {
            let _ = io::stderr().lock().write_all(document(packed)?.as_bytes());
            Ok(())
        }
        Format::Human => {
            talk(&human::findings(&packed.findings));
            let report = if style::get().is_quiet { Text::default() } else { human::packed(packed) };
            if to_stdout {
                talk(&report);
                return Ok(());
            }
            // Scripts get only the reference, for docker run $(slimroot build …).
            let images = human::images(packed);
            if io::stdout().is_terminal() || images.is_empty() {
                return print(&report);
            }
            talk(&report);
            print(&images)
        }
    }
}

/// Prints the images of an index.
pub(super) fn index(index: &WrittenIndex, format: Format) -> Result<(), Error> {
    match format {
        Format::Json => json(index),
        Format::Human => {
            let report = if style::get().is_quiet { Text::default() } else { human::index(index) };
            if io::stdout().is_terminal() {
                return print(&report);
            }
            talk(&report);
            print(&human::named_digest(&index.destination, &index.manifest))
        }
    }
}

/// Prints the files that a loader would load.
pub(super) fn deps(deps: &Deps, format: DepsFormat) -> Result<(), Error> {
    match format {
        DepsFormat::Json => json(deps),
        DepsFormat::Tree => {
            print(&tree::tree(deps))?;
            talk(&tree::troubles(deps));
            Ok(())
        }
        DepsFormat::List => {
            print(&tree::list(deps))?;
            talk(&tree::troubles(deps));
            Ok(())
        }
        DepsFormat::Dot => print(&tree::dot(deps)),
    }
}

/// Prints the result of `verify`: that of one run, or of the runs of a file.
pub(super) fn proofs(proofs: &[Proof], options: &VerifyOptions) -> Result<(), Error> {
    match (options.format, proofs) {
        (ProofFormat::Json, [proof]) if options.file.is_none() => json(proof),
        (ProofFormat::Json, _) => json(&proof::document(proofs)),
        (ProofFormat::Junit, _) => bytes(proof::junit(proofs).as_bytes()),
        (ProofFormat::Sarif, _) => {
            let findings: Vec<Finding> = proofs.iter().flat_map(Proof::findings).collect();
            json(&sarif::log(&findings))
        }
        (ProofFormat::Human, _) => print(&proof::human(proofs)),
    }
}

/// Prints a trace without a file to stderr, because stdout belongs to the command.
pub(super) fn traced(text: Option<&[u8]>) {
    let _ = io::stderr().lock().write_all(text.unwrap_or_default());
}

/// Prints a comparison.
pub(super) fn diff(diff: &Diff, options: &DiffOptions) -> Result<(), Error> {
    match options.format {
        DiffFormat::Json => json(diff),
        DiffFormat::Human => print(&diff::human(diff, options.all)),
        DiffFormat::Markdown => print(&diff::markdown(diff, options.all)),
    }
}

/// Prints packages with other versions.
pub(super) fn outdated(found: &Outdated, format: Format) -> Result<(), Error> {
    match format {
        Format::Json => json(found),
        Format::Human => print(&human::outdated(found)),
    }
}

/// Prints a chain of reasons.
pub(super) fn why(why: &Why, format: Format) -> Result<(), Error> {
    match format {
        Format::Json => json(why),
        Format::Human => print(&human::why(why)),
    }
}

/// Prints the findings.
pub(super) fn checked(checked: &Checked, format: CheckFormat) -> Result<(), Error> {
    match format {
        CheckFormat::Json => json(checked),
        CheckFormat::Sarif => json(&sarif::log(&checked.findings)),
        CheckFormat::Human => print(&human::checked(checked)),
    }
}
