//! `slimroot slim`: packs the program of an image into a smaller image.

use std::path::{Path, PathBuf};

use clap::Args;

use super::build;
use crate::engine::WORDS;
use crate::error::Error;
use crate::image_reader::{Reference, transport_of};

#[derive(Debug, Args)]
pub(crate) struct SlimOptions {
    /// The image: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG], or a NAME[:TAG],
    /// which is searched in the local stores of docker and podman and then in the registry that it names.
    #[arg(value_name = "IMAGE")]
    pub(crate) image: PathBuf,
    #[command(flatten)]
    pub(crate) build: build::Options,
}

impl SlimOptions {
    /// Converts the options to those of `build`.
    ///
    /// # Errors
    /// `bad-argument` if it is not an image, or if there is another root.
    pub(crate) fn into_build(mut self) -> Result<build::Options, Error> {
        if self.image.to_str().and_then(Reference::parse).is_none() {
            return Err(self.no_image());
        }
        if self.build.root.root != Path::new("/") {
            return Err(Error::new("bad-argument", "slim takes an image as its argument, so --root is not permitted")
                .help("leave out --root"));
        }
        // With a name, an image of a local store is written to the same store.
        let has_place = !self.build.output.is_empty() || self.build.dry_run || self.build.config.is_some();
        let store = self.image.to_str().and_then(|image| image.split_once(':')).map(|(word, _)| word);
        if let (Some(tag), Some(word), false) =
            (&self.build.run.tag, store.filter(|word| WORDS.contains(word)), has_place)
        {
            self.build.output.push(format!("{word}:{tag}"));
        }
        self.build.root.root = self.image;
        Ok(self.build)
    }

    fn no_image(&self) -> Error {
        let shown = self.image.display();
        let help = match transport_of(&self.image) {
            Some(transport) => format!("add its transport: slimroot slim {transport}:{shown}"),
            None if self.image.is_dir() => {
                format!("to pack from a directory: slimroot build --root {shown} -- PROGRAM")
            }
            None if self.image.is_file() => format!(
                "docker save NAME -o FILE writes an image; an archive of files is a root when it is unpacked: mkdir root && tar -xf \
                 {shown} -C root, then slimroot build --root root -- PROGRAM"
            ),
            None => format!(
                "docker save {shown} -o fat.tar, and slimroot slim docker-archive:fat.tar; in a registry: docker://{shown}"
            ),
        };
        Error::new("bad-argument", format!("{shown} is not an image")).help(help)
    }
}
