//! `tar:FILE`: the files of the image as one layer tar.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::aside::{Aside, refuse_existing_file};
use super::{Destination, Finished, Output, Put, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::Codec;
use crate::plan::Plan;

pub(super) const TRANSPORT: Transport = Transport { word: "tar", has_reference: false, start };

struct TarFile(FileOutput);

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    Ok(Box::new(TarFile(FileOutput::start(destination, options)?)))
}

impl Output for TarFile {
    fn codec(&self) -> Option<Codec> {
        Some(Codec::None)
    }

    fn staging(&self) -> PathBuf {
        self.0.staging()
    }

    fn finish(self: Box<Self>, _: &Plan, finished: Option<&Finished>) -> Result<Put, Error> {
        let Some(finished) = finished else { return Ok(Put::default()) };
        let bytes = self.0.put(|out| {
            let mut blob = File::open(&finished.blob)?;
            io::copy(&mut blob, out).map(|_| ())
        })?;
        Ok(Put { bytes, ..Put::default() })
    }
}

/// A single file, or stdout.
pub(super) struct FileOutput {
    path: PathBuf,
}

impl FileOutput {
    pub(super) fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Self, Error> {
        if !destination.is_stdout() {
            refuse_existing_file(&destination.path, options.force)?;
        }
        Ok(Self { path: destination.path.clone() })
    }

    /// Beside the file; for stdout in the directory for temporary files.
    pub(super) fn staging(&self) -> PathBuf {
        if self.is_stdout() { std::env::temp_dir().join("stdout") } else { self.path.clone() }
    }

    fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Writes the file aside and moves it into place; gives its bytes.
    pub(super) fn put(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<u64, Error> {
        let unwritable = |error| Error::unwritable(&self.path.display(), error);
        if self.is_stdout() {
            use std::os::fd::AsFd;
            let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(unwritable)?;
            write(&mut File::from(stdout)).map_err(unwritable)?;
            return Ok(0);
        }
        let aside = Aside::file(&self.path, "file")?;
        let mut file = File::create_new(aside.path()).map_err(unwritable)?;
        write(&mut file).map_err(unwritable)?;
        let bytes = fs::metadata(aside.path()).map_err(unwritable)?.len();
        aside.place(&self.path)?;
        Ok(bytes)
    }
}
