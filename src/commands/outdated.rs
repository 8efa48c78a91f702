//! `slimroot outdated`: which packages of an image have another version in a root.

use std::path::PathBuf;

use clap::Args;

use super::access::ImageAccess;
use super::diff::{is_remote, place, snapshot};
use crate::cli::Format;
use crate::error::Error;
use crate::ledger::Outdated;
use crate::pack::Watch;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The image: a plan, a lock, a directory, or an image such as oci:DIR[:TAG] or docker://HOST/NAME.
    image: String,
    /// A root or image with current packages, such as a new builder stage.
    root: String,
    #[command(flatten)]
    access: ImageAccess,
    /// Exits with 5 if a package has another version.
    #[arg(long)]
    pub(crate) fail_if_outdated: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

pub(crate) fn run(options: &Options, watch: &Watch<'_>) -> Result<Outdated, Error> {
    let names = [&options.image, &options.root];
    if !names.iter().any(|name| is_remote(name)) {
        let reads: Vec<PathBuf> = names.iter().map(|name| place(name)).collect();
        super::fence::raise_for(&reads, &[]);
    }
    let access = &options.access;
    Outdated::of(&snapshot(&options.image, access, watch)?, &access.open(&options.root, watch)?.root)
}
