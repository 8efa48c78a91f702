//! A page that shows what is in an image, as one HTML file that needs no network: bytes as a map, the chain of reasons
//! of each file, what was left out, findings, and what changed.
//!
//! Names come from untrusted files. Templates escape them, JSON in the page contains no `<`, and the page itself
//! forbids every script and style except its own two, whose digests it lists (Content Security Policy, level 3).

mod advice;
mod changes;
mod data;
mod files;
mod html;
mod omitted;
mod retained;
mod sheet;

use std::fmt::Display;
use std::io::Write;

pub use omitted::{AbsentRow, LeftOutTable};
pub use sheet::{Problem, Row, Sheet, Why};

use crate::error::Error;

/// Writes a page. The same sheet gives the same bytes.
///
/// # Errors
/// `output-unwritable`, `disk-full`.
pub fn write(sheet: &Sheet, out: &mut dyn Write, name: &dyn Display) -> Result<(), Error> {
    let text = html::page(sheet)?;
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Error::unwritable(&name, error))
}
