//! `slimroot slim`: packs what an image runs into a smaller image.

use std::path::{Path, PathBuf};

use clap::Args;

use super::build;
use crate::error::Error;
use crate::verify::{Reference, TRANSPORTS};

#[derive(Debug, Args)]
pub(crate) struct SlimOptions {
    /// The image: oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:REF].
    #[arg(value_name = "IMAGE")]
    pub(crate) image: PathBuf,
    #[command(flatten)]
    pub(crate) build: build::Options,
}

impl SlimOptions {
    /// The same as options of `build`.
    ///
    /// # Errors
    /// `bad-argument` if it is not an image, or if there is another root.
    pub(crate) fn into_build(mut self) -> Result<build::Options, Error> {
        if self.image.to_str().and_then(Reference::parse).is_none() {
            let known: Vec<String> = TRANSPORTS.iter().map(|word| format!("{word}:")).collect();
            return Err(Error::new("bad-argument", format!("{} is not an image", self.image.display()))
                .help(format!("write {} before its path; slimroot build --root takes a directory", known.join(", "))));
        }
        if self.build.root.root != Path::new("/") {
            return Err(Error::new("bad-argument", "slim takes an image, and --root another").help("leave out --root"));
        }
        self.build.root.root = self.image;
        Ok(self.build)
    }
}
