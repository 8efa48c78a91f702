//! `tar:FILE`: the files of the image as one layer tar.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::aside::{Aside, exists, give, is_kept_by_sticky, parent};
use super::stdout;
use super::{Destination, Finished, Naming, Output, Prepared, Transport, WriteOptions};
use crate::error::Error;
use crate::layer::{Codec, interrupted};
use crate::plan::Plan;

pub(super) const TRANSPORT: Transport = Transport { word: "tar", naming: Naming::None, start };

struct TarFile(FileOutput);

fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Box<dyn Output>, Error> {
    Ok(Box::new(TarFile(FileOutput::start(destination, options)?)))
}

impl Output for TarFile {
    fn codec(&self) -> Option<Codec> {
        Some(Codec::None)
    }

    fn has_layers(&self) -> bool {
        false
    }

    fn staging(&self) -> PathBuf {
        self.0.staging()
    }

    fn is_stream(&self) -> bool {
        self.0.is_stream()
    }

    fn prepare(&mut self, _: &Plan, finished: Option<&Finished>, stop: &dyn Fn() -> bool) -> Result<Prepared, Error> {
        let Some((layer, blob)) = finished.and_then(|finished| finished.layers().next()) else {
            return Ok(Prepared::default());
        };
        match &self.0.aside {
            Some(aside) => give(blob, aside.path(), stop).map_err(|error| Error::unwritable(aside, error))?,
            None => {
                self.0.write(stop, |out| io::copy(&mut File::open(blob)?, out).map(|_| ()))?;
            }
        }
        Ok(Prepared { bytes: layer.size, ..Prepared::default() })
    }

    fn place(&mut self) -> Result<(), Error> {
        self.0.place()
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.0.take_back()
    }
}

/// A single file, or a stream: stdout, a pipe or a device, for which no temporary file can be moved into place.
pub(super) struct FileOutput {
    path: PathBuf,
    aside: Option<Aside>,
    may_replace: bool,
    /// The file that was replaced now lies at the temporary path.
    has_old: bool,
}

impl FileOutput {
    pub(super) fn start(destination: &Destination, options: &WriteOptions<'_>) -> Result<Self, Error> {
        let path = destination.path.clone();
        if destination.is_stdout() && stdout::was_closed() {
            return Err(Error::new("output-unwritable", "cannot write to stdout: it is closed")
                .help("give a file, or keep stdout open"));
        }
        let is_stream = destination.is_stdout() || is_stream(&path)?;
        if !is_stream {
            refuse_existing(&path, options.force)?;
        }
        let aside = if is_stream { None } else { Some(Aside::file(&path, "file")?) };
        Ok(Self { path, aside, may_replace: options.force, has_old: false })
    }

    /// Next to the file; for a stream, in the temporary directory.
    pub(super) fn staging(&self) -> PathBuf {
        if self.is_stream() { std::env::temp_dir().join("stream") } else { self.path.clone() }
    }

    pub(super) fn is_stream(&self) -> bool {
        self.aside.is_none()
    }

    /// Writes the temporary file or the stream; returns the number of bytes.
    pub(super) fn write(
        &mut self,
        stop: &dyn Fn() -> bool,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<u64, Error> {
        use std::os::fd::AsFd;
        let is_stdout = self.path == Path::new("-");
        let path = self.path.clone();
        let unwritable = |error| match is_stdout {
            _ if stop() => interrupted(),
            true => Error::unwritable(&"to stdout", error).help("see why its reader ended early"),
            false => Error::unwritable(&path.display(), error),
        };
        let opened = match &mut self.aside {
            Some(aside) => aside.create(),
            None if is_stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            None => File::options().write(true).open(&path),
        };
        let mut out = Counted { inner: opened.map_err(unwritable)?, bytes: 0, stop };
        write(&mut out).map_err(unwritable)?;
        Ok(out.bytes)
    }

    /// Moves the file into place. A file that was there is removed with the temporary file.
    pub(super) fn place(&mut self) -> Result<(), Error> {
        match &mut self.aside {
            Some(aside) if self.may_replace => self.has_old = aside.replace(&self.path)?,
            Some(aside) => aside.place_new(&self.path)?,
            None => {}
        }
        Ok(())
    }

    /// Restores what was there.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        match &self.aside {
            // The old file replaces the new one, or the new one becomes temporary again.
            Some(aside) if self.has_old => fs::rename(aside.path(), &self.path),
            Some(aside) => fs::rename(&self.path, aside.path()),
            None => Err(io::Error::other("a stream")),
        }
    }
}

/// True if the destination is not a file, for example /dev/null or the /dev/fd/N of a shell's `>(…)`. Such a node is
/// written to instead of being replaced by a file.
///
/// # Errors
/// `output-exists` for a disk or a socket, which cannot be intended.
fn is_stream(path: &Path) -> Result<bool, Error> {
    let (Ok(own), Ok(real)) = (fs::symlink_metadata(path), fs::metadata(path)) else { return Ok(false) };
    if real.file_type().is_block_device() || real.file_type().is_socket() {
        return Err(Error::new("output-exists", format!("{} is a disk or a socket", path.display()))
            .help("give a file for the archive"));
    }
    // /dev/stdout is a symlink of the system even if it leads to a file.
    let is_of_system = || {
        let dir = parent(path).canonicalize().unwrap_or_default();
        dir == Path::new("/dev") || dir.starts_with("/proc")
    };
    let kind = real.file_type();
    Ok(kind.is_char_device() || kind.is_fifo() || own.is_symlink() && kind.is_file() && is_of_system())
}

/// Refuses an existing file unless it may be replaced, and always refuses a directory.
fn refuse_existing(path: &Path, force: bool) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Err(Error::new("output-exists", format!("{} is a directory", path.display()))
            .help("give a file for the archive")),
        Ok(_) if !force => Err(exists(path)),
        Ok(_) if is_kept_by_sticky(path) => {
            Err(Error::new("output-exists", format!("{} belongs to another user", path.display()))
                .help("only its owner can replace it in that directory: give another file"))
        }
        _ => Ok(()),
    }
}

/// Counts the bytes written to a file, and stops on cancellation.
struct Counted<'s> {
    inner: File,
    bytes: u64,
    stop: &'s dyn Fn() -> bool,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(io::Error::other("interrupted"));
        }
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
