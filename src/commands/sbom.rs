//! `slimroot sbom`: an inventory of the software in a directory or an image, by whomever it was made.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::Error;
use crate::output::Document;
use crate::pack::{Watch, epoch};
use crate::sbom::{Format, Inventory, write};

/// Format of an inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SbomFormat {
    /// SPDX 2.3 as JSON.
    #[default]
    SpdxJson,
    /// CycloneDX 1.6 as JSON.
    CyclonedxJson,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A directory, or an image: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF].
    target: String,
    /// Format of the inventory.
    #[arg(long, value_enum, default_value_t)]
    format: SbomFormat,
    /// Name of the image in the inventory; otherwise that of its file or directory.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where to write the inventory instead of stdout. An older file is replaced.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the inventory to a file, or returns it for stdout.
pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Option<File>, Error> {
    let format = match options.format {
        SbomFormat::SpdxJson => Format::Spdx,
        SbomFormat::CyclonedxJson => Format::CycloneDx,
    };
    let place = super::diff::place(&options.target);
    if !super::diff::is_remote(&options.target) {
        super::fence::raise_for(std::slice::from_ref(&place), options.output.as_slice());
    }
    let subject = super::diff::opened(&options.target, watch)?;
    let name = options.name.clone().unwrap_or_else(|| {
        place.file_name().map_or_else(|| options.target.clone(), |name| name.to_string_lossy().into_owned())
    });
    let inventory = Inventory::of_tree(&name, epoch()?, &subject.root)?;
    if let Some(to) = &options.output {
        Document::write(to, &mut |out| write(format, &inventory, out, &to.display()))?.place()?;
        return Ok(None);
    }
    let name = "the inventory in the temporary directory";
    let unwritable = |error| Error::unwritable(&name, error);
    let mut text = tempfile::tempfile().map_err(unwritable)?;
    let mut out = BufWriter::new(&text);
    write(format, &inventory, &mut out, &name)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    text.rewind().map_err(unwritable)?;
    Ok(Some(text))
}
