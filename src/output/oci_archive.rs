//! `oci-archive:FILE[:TAG]`: an OCI layout in a tar archive, which docker can load too.

use std::io;
use std::path::PathBuf;

use super::layout::write_archive;
use super::reference::Name;
use super::tar_file::FileOutput;
use super::{Destination, Finished, Naming, Output, Prepared, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::Codec;
use crate::plan::Plan;

pub(super) const TRANSPORT: Transport = Transport { word: "oci-archive", naming: Naming::TagOrName, start };

/// An archive with an image in it.
pub(super) struct Archive {
    file: FileOutput,
    codec: Codec,
    reference: Option<String>,
    /// True if the reference is a name even if it looks like a tag.
    is_always_name: bool,
}

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    Ok(Box::new(Archive::start(destination, options, options.codec.unwrap_or(Codec::GZIP), false)?))
}

impl Archive {
    pub(super) fn start(
        destination: &Destination,
        options: &WriteOptions<'_>,
        codec: Codec,
        is_always_name: bool,
    ) -> Result<Self, Error> {
        let file = FileOutput::start(destination, options)?;
        Ok(Self { file, codec, reference: destination.reference.clone(), is_always_name })
    }
}

impl Output for Archive {
    fn codec(&self) -> Option<Codec> {
        Some(self.codec)
    }

    fn staging(&self) -> PathBuf {
        self.file.staging()
    }

    fn is_stream(&self) -> bool {
        self.file.is_stream()
    }

    fn prepare(
        &mut self,
        plan: &Plan,
        finished: Option<&Finished>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Prepared, Error> {
        let Some(finished) = finished else { return Ok(Prepared::default()) };
        let (reference, is_always_name) = (self.reference.as_deref(), self.is_always_name);
        let write = |out: &mut dyn io::Write| write_archive(out, finished, reference, is_always_name, plan.epoch);
        let bytes = self.file.write(stop, write)?;
        let twin = finished.twin.as_ref().map(|(suffix, _)| Name::new(reference).suffixed(suffix).ref_name());
        Ok(Prepared { bytes, has_image: true, twin, notes: Vec::new() })
    }

    fn place(&mut self) -> Result<(), Error> {
        self.file.place()
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.file.take_back()
    }
}
