//! `slimroot sbom`: an inventory of the software in a directory, or in an image made by any tool.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::access::ImageAccess;
use crate::attest::predicate_type;
use crate::error::Error;
use crate::image::statement;
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
    /// A directory, or an image: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME.
    #[arg(required_unless_present = "buildkit")]
    target: Option<String>,
    /// Format of the inventory.
    #[arg(long, value_enum, default_value_t)]
    format: SbomFormat,
    /// Name of the image in the inventory; otherwise that of its file or directory.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where to write the inventory instead of stdout. An older file is replaced.
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Wraps the inventory in an in-toto statement about the image, which must have a digest.
    #[arg(long)]
    in_toto: bool,
    #[command(flatten)]
    access: ImageAccess,
    /// Works as a BuildKit SBOM generator: reads BUILDKIT_SCAN_SOURCE and BUILDKIT_SCAN_SOURCE_EXTRAS, and writes
    /// statements with SPDX to BUILDKIT_SCAN_DESTINATION.
    #[arg(long, conflicts_with_all = ["target", "format", "name", "output", "in_toto"])]
    buildkit: bool,
}

/// An inventory, and what was kept out of it by limits.
#[derive(Default)]
pub(crate) struct Made {
    /// The inventory for stdout; `None` if it was written to a file.
    pub(crate) text: Option<File>,
    /// Files that were read in part or not at all.
    pub(crate) notes: Vec<String>,
}

/// Writes the inventory to a file, or returns it for stdout.
pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Made, Error> {
    let Some(target) = options.target.as_ref().filter(|_| !options.buildkit) else {
        return super::buildkit::run().map(|()| Made::default());
    };
    let format = match options.format {
        SbomFormat::SpdxJson => Format::Spdx,
        SbomFormat::CyclonedxJson => Format::CycloneDx,
    };
    let place = super::diff::place(target);
    if !super::diff::is_remote(target) {
        super::fence::raise_for(std::slice::from_ref(&place), options.output.as_slice());
    }
    let subject = options.access.open(target, watch)?;
    let name = options.name.clone().unwrap_or_else(|| {
        place.file_name().map_or_else(|| target.clone(), |name| name.to_string_lossy().into_owned())
    });
    let inventory = Inventory::of_tree(&name, epoch()?, &subject.root)?;
    let unread = subject.root.unread().into_iter();
    let notes = unread.map(|(path, says)| format!("[read-in-part] {path}: {says}")).collect();
    let digest = match options.in_toto {
        true => Some(digest_of(subject.image.as_ref().and_then(|image| image.digest.as_deref()))?),
        false => None,
    };
    let fill = |out: &mut dyn Write, to: &dyn Display| match &digest {
        Some(digest) => {
            let mut text = Vec::new();
            write(format, &inventory, &mut text, to)?;
            let made = statement(predicate_type(format), Some((&name, digest)), &text);
            out.write_all(&made).map_err(|error| Error::unwritable(&to, error))
        }
        None => write(format, &inventory, out, to),
    };
    if let Some(to) = &options.output {
        Document::write(to, &mut |out| fill(out, &to.display()))?.place()?;
        return Ok(Made { text: None, notes });
    }
    let place = "the inventory in the temporary directory";
    let unwritable = |error| Error::unwritable(&place, error);
    let mut text = tempfile::tempfile().map_err(unwritable)?;
    let mut out = BufWriter::new(&text);
    fill(&mut out, &place)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    text.rewind().map_err(unwritable)?;
    Ok(Made { text: Some(text), notes })
}

/// The digest of the image that is the subject of a statement.
fn digest_of(text: Option<&str>) -> Result<String, Error> {
    text.and_then(|text| text.strip_prefix("sha256:")).map(str::to_owned).ok_or_else(|| {
        Error::new(
            "bad-argument",
            "--in-toto needs an image with a digest, which directories and docker-archive: do not have",
        )
        .help("name an image as oci:DIR:TAG, oci-archive:FILE or docker://HOST/NAME:TAG")
    })
}
