//! `docker-daemon:REF` and `containers-storage:REF`: an image in the local store of an engine, which loads it like an
//! archive of `docker save`.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::layout::write_archive;
use super::reference::{self, Name};
use super::{Destination, Finished, Naming, Output, Prepared, Transport, WriteOptions};
use crate::engine::{Engine, WORDS};
use crate::error::Error;
use crate::layer::{Codec, interrupted};
use crate::plan::Plan;

pub(super) const DOCKER: Transport = Transport { word: WORDS[0], naming: Naming::None, start };
pub(super) const PODMAN: Transport = Transport { word: WORDS[1], naming: Naming::None, start };

/// A destination in a local store; `None` for other words.
///
/// # Errors
/// `bad-argument` without a name, and for a name that no engine accepts.
pub(super) fn destination(text: &str) -> Result<Option<Destination>, Error> {
    let Some((word, name)) = text.split_once(':') else { return Ok(None) };
    let Some(word) = WORDS.into_iter().find(|known| *known == word) else { return Ok(None) };
    if name.is_empty() {
        return Err(Error::new("bad-argument", format!("the destination {text} has no image name"))
            .help(format!("write for example {word}:localhost/app:1")));
    }
    reference::check(name, true)?;
    let (text, reference) = (text.to_owned(), Some(name.to_owned()));
    Ok(Some(Destination { text, word, path: PathBuf::new(), reference, address: None }))
}

struct Store {
    engine: Engine,
    codec: Codec,
    reference: Option<String>,
    archive: Option<File>,
}

fn start<'a>(destination: &Destination, options: &WriteOptions<'a>) -> Result<Box<dyn Output + 'a>, Error> {
    let engine = Engine::find(destination.word)?;
    // Report an engine that does not run before anything is packed.
    engine.ping()?;
    let codec = options.codec.unwrap_or(Codec::None);
    Ok(Box::new(Store { engine, codec, reference: destination.reference.clone(), archive: None }))
}

impl Output for Store {
    fn codec(&self) -> Option<Codec> {
        Some(self.codec)
    }

    fn staging(&self) -> PathBuf {
        std::env::temp_dir().join("load")
    }

    fn is_placed_last(&self) -> bool {
        true
    }

    fn prepare(
        &mut self,
        plan: &Plan,
        finished: Option<&Finished>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Prepared, Error> {
        let Some(finished) = finished else { return Ok(Prepared::default()) };
        let reference = self.reference.as_deref();
        let place = std::env::temp_dir();
        let unwritable = |error| if stop() { interrupted() } else { Error::unwritable(&place.display(), error) };
        let mut archive = tempfile::tempfile().map_err(unwritable)?;
        let mut out: &mut dyn Write = &mut archive;
        write_archive(&mut out, finished, reference, true, plan.epoch).map_err(unwritable)?;
        let bytes = archive.metadata().map_err(unwritable)?.len();
        self.archive = Some(archive);
        let twin = finished.twin.as_ref().and_then(|(suffix, _)| Name::new(reference).suffixed(suffix).whole(true));
        Ok(Prepared { bytes, has_image: true, twin, notes: Vec::new() })
    }

    fn place(&mut self) -> Result<(), Error> {
        self.archive.as_mut().map_or(Ok(()), |archive| self.engine.load(archive))
    }

    fn take_back(&mut self) -> io::Result<()> {
        Err(io::Error::other("an engine keeps what was loaded"))
    }
}
