//! `slimroot report`, and the pages of `check` and `diff`: the contents of an image, as one HTML file.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::access::ImageAccess;
use super::check;
use crate::closure::{Closure, Request};
use crate::error::Error;
use crate::finding::Finding;
use crate::image_reader::LayerOf;
use crate::ledger::{Ledger, Snapshot};
use crate::output::Document;
use crate::pack::{Input, PackRequest, Watch, run_of};
use crate::page::{Sheet, write};
use crate::plan::Plan;
use crate::root::Root;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A directory, an image (oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG]),
    /// or a plan of slimroot plan --format json.
    #[arg(value_name = "IMAGE|DIR|PLAN")]
    target: String,
    /// Where to write the page instead of stdout. An older file is replaced.
    #[arg(long = "output", short = 'o', value_name = "FILE.html")]
    output: Option<PathBuf>,
    #[command(flatten)]
    access: ImageAccess,
}

/// Writes the page to a file, or returns it for stdout.
pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Option<File>, Error> {
    if options.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::new("bad-argument", "a page cannot be shown on a terminal: give a file for it")
            .help("write -o image.html, and open it in a browser"));
    }
    if !super::diff::is_remote(&options.target) {
        super::fence::raise_for(&[super::diff::place(&options.target)], options.output.as_slice());
    }
    let sheet = match super::diff::is_plan(&options.target) {
        true => Sheet::of_snapshot(&options.target, &Snapshot::read(Path::new(&options.target))?, &[]),
        false => {
            let input = options.access.open(&options.target, watch)?;
            let layers = layers(&input).to_vec();
            let run = input.image.as_ref().map(run_of);
            Sheet::of_snapshot(&options.target, &Snapshot::of_tree(input.root, run)?, &layers)
        }
    };
    if let Some(to) = &options.output {
        write_to(to, &sheet)?;
        return Ok(None);
    }
    let name = "the page in the temporary directory";
    let unwritable = |error| Error::unwritable(&name, error);
    let mut text = tempfile::tempfile().map_err(unwritable)?;
    let mut out = BufWriter::new(&text);
    write(&sheet, &mut out, &name)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    text.rewind().map_err(unwritable)?;
    Ok(Some(text))
}

/// The layers of an image; none of a directory.
fn layers(input: &Input) -> &[LayerOf] {
    input.image.as_ref().map_or(&[], |image| &image.layers)
}

/// Writes a page, replacing an older one.
pub(super) fn write_to(to: &Path, sheet: &Sheet) -> Result<(), Error> {
    Document::write(to, &mut |out| write(sheet, out, &to.display()))?.place()
}

/// A request that may write the page.
pub(super) fn allowed(mut request: PackRequest, report: Option<&PathBuf>) -> PackRequest {
    request.documents.report = report.cloned();
    request
}

/// Writes the page of a check, if one is requested: of the planned image, of the finished one, or of findings alone if
/// the entry cannot start.
pub(super) fn of_check(
    options: &check::Options,
    input: &Input,
    line: &[String],
    closure: &Closure,
    planned: Option<&(Plan, Request)>,
    findings: &[Finding],
) -> Result<(), Error> {
    let Some(to) = &options.report else { return Ok(()) };
    let title = if line.is_empty() { "an image that starts nothing".to_owned() } else { line.join(" ") };
    let sheet = match planned {
        Some((plan, request)) => Sheet::of_plan(&Ledger::new(&input.root, closure, plan, findings)?, &request.exclude)?,
        None if options.as_is || options.loaded_only || input.image.is_some() => {
            let root = Root::new(Arc::clone(input.root.tree()));
            let snapshot = Snapshot::of_tree(root, input.image.as_ref().map(run_of))?;
            Sheet::of_checked(&title, (&snapshot, layers(input)), closure, findings)
        }
        None => Sheet::of_findings(&title, findings),
    };
    write_to(to, &sheet)
}
