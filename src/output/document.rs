//! A document about the image: a plan, a lock, an inventory. It is written to a temporary file and moved into place
//! when it is complete. It is written again with each image, so it replaces an older document.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use super::aside::Aside;
use crate::error::Error;

/// A complete document that is not yet in place.
pub(crate) struct Document {
    to: PathBuf,
    staged: Staged,
    /// The file that was replaced now lies at the temporary path.
    has_old: bool,
}

enum Staged {
    Beside(Aside),
    /// A device or a pipe, which is written directly.
    Unnamed(File),
}

impl Document {
    /// Writes a document with `fill` to a temporary file.
    ///
    /// # Errors
    /// `output-exists` for a directory, `output-unwritable`, `disk-full`, and any error of `fill`.
    pub(crate) fn write(to: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>) -> Result<Self, Error> {
        let unwritable = |error: io::Error| Error::unwritable(&to.display(), error);
        let there = to.metadata().ok();
        if there.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Err(Error::new("output-exists", format!("{} is a directory", to.display()))
                .help("give a file for the document"));
        }
        let (file, mut staged) = if there.is_some_and(|meta| !meta.is_file()) {
            let file = tempfile::tempfile().map_err(unwritable)?;
            (file.try_clone().map_err(unwritable)?, Staged::Unnamed(file))
        } else {
            super::leftovers::sweep(to);
            let mut aside = Aside::file(to, "document")?;
            (aside.create().map_err(unwritable)?, Staged::Beside(aside))
        };
        let mut out = BufWriter::new(file);
        fill(&mut out)?;
        out.into_inner().map_err(|error| unwritable(error.into_error()))?;
        if let Staged::Unnamed(file) = &mut staged {
            file.rewind().map_err(unwritable)?;
        }
        Ok(Self { to: to.to_path_buf(), staged, has_old: false })
    }

    /// Where it goes.
    pub(super) fn to(&self) -> &Path {
        &self.to
    }

    /// Moves it into place. Only commands write a document without an image.
    ///
    /// # Errors
    /// `output-unwritable`, `disk-full`.
    #[cfg(feature = "cli")]
    pub(crate) fn place(mut self) -> Result<(), Error> {
        self.send()?;
        self.put()
    }

    /// Writes it to a device or a pipe, whose data cannot be taken back.
    ///
    /// # Errors
    /// `output-unwritable`, `disk-full`.
    pub(super) fn send(&mut self) -> Result<(), Error> {
        let Staged::Unnamed(file) = &mut self.staged else { return Ok(()) };
        let mut write = || io::copy(file, &mut File::options().write(true).open(&self.to)?);
        write().map(drop).map_err(|error| Error::unwritable(&self.to.display(), error))
    }

    /// Moves a file into place. A file that was there is kept until this is dropped.
    ///
    /// # Errors
    /// `output-exists`, `output-unwritable`.
    pub(super) fn put(&mut self) -> Result<(), Error> {
        if let Staged::Beside(aside) = &mut self.staged {
            self.has_old = aside.replace(&self.to)?;
        }
        Ok(())
    }

    /// Restores what was there before [`Document::put`].
    ///
    /// # Errors
    /// Any I/O error.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        match &self.staged {
            // The old file replaces the new one, or the new one becomes temporary again.
            Staged::Beside(aside) if self.has_old => fs::rename(aside.path(), &self.to),
            Staged::Beside(aside) => fs::rename(&self.to, aside.path()),
            Staged::Unnamed(_) => Ok(()),
        }
    }
}
