//! `slimroot index`: combines images for several platforms into one.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Format;
use crate::error::Error;
use crate::image_reader::{ReadOptions, Reference, Stock};
use crate::layer::PassOptions;
use crate::output::{Destination, Member, WriteOptions, WrittenIndex, join};
use crate::pack::Watch;
use crate::path::show;
use crate::registry::Access;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Images for different platforms: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker://HOST/NAME[:TAG]. All images of
    /// an index are taken.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Where to write the index: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker://HOST/NAME[:TAG].
    #[arg(long, short = 'o', value_name = "DEST")]
    output: String,
    /// Replaces an existing archive, atomically at the end.
    #[arg(long)]
    force: bool,
    /// A PEM file with certificates to trust when talking to registries, in addition to those of the system. Repeatable.
    #[arg(long = "registry-ca", value_name = "FILE")]
    registry_ca: Vec<PathBuf>,
    /// Does not verify the certificates of registries, and uses plain HTTP where a registry does not speak TLS.
    #[arg(long)]
    insecure: bool,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<WrittenIndex, Error> {
    let mut access = Access::default();
    access.ca.clone_from(&options.registry_ca);
    access.is_insecure = options.insecure;
    let destination = Destination::parse(&options.output)?;
    let references = options.images.iter().map(|name| reference(name)).collect::<Result<Vec<_>, _>>()?;
    let reads: Vec<PathBuf> = references.iter().map(|reference| reference.path().to_path_buf()).collect();
    let is_remote = options.images.iter().any(|name| super::diff::is_remote(name)) || destination.address().is_some();
    if !is_remote {
        super::fence::raise_for(&reads, &[destination.path().to_path_buf()]);
    }
    written(&references, &destination, options.force, &access, watch)
}

/// Combines all images of these references.
///
/// # Errors
/// As of [`join`].
pub(super) fn written(
    references: &[Reference],
    destination: &Destination,
    force: bool,
    access: &Access,
    watch: &Watch<'_>,
) -> Result<WrittenIndex, Error> {
    let reading = ReadOptions { progress: &|_, _| (), stop: watch.stop, access, platform: None };
    let stocks = references.iter().map(|one| Stock::open(one, &reading)).collect::<Result<Vec<_>, _>>()?;
    let mut members = Vec::new();
    for stock in &stocks {
        members.extend(stock.images()?.into_iter().map(|image| Member { stock, image }));
    }
    let pass = PassOptions { threads: 1, cache: None, progress: watch.progress, stop: watch.stop };
    join(
        &members,
        destination,
        &WriteOptions { codec: None, parts: &[], twin: None, force, access, attached: &[], pass },
    )
}

/// The reference of an image.
///
/// # Errors
/// `bad-argument` for other words.
pub(super) fn reference(name: &str) -> Result<Reference, Error> {
    Reference::parse(name).ok_or_else(|| {
        Error::new("bad-argument", format!("{} is not an image", show(name.as_bytes())))
            .help("write for example oci:DIR:TAG, oci-archive:FILE or docker://HOST/NAME:TAG")
    })
}
