//! Pushing an image to a registry: blobs, then the manifest, which updates the tag.

use std::io::{self, Read};

use ureq::http::Method;

use super::fault::Fault;
use super::http::{Answer, Ask, Payload, Server};
use super::{Access, Address};
use crate::digest::Digest;
use crate::error::Error;

/// A repository to push to.
pub(crate) struct Push<'a> {
    pub(super) server: Server<'a>,
    access: Access,
}

/// A blob to push.
struct Content<'c> {
    digest: &'c str,
    size: u64,
    /// Opens its bytes from an offset.
    open: &'c dyn Fn(u64) -> io::Result<Box<dyn Read + 'c>>,
    /// Called with the offset while bytes are sent.
    progress: &'c dyn Fn(u64),
}

/// The answer to a mount.
enum Mount {
    Done,
    Begun(Upload),
    No,
}

/// An upload in progress.
struct Upload {
    /// URL for the next bytes.
    url: String,
    /// Number of bytes that the registry has.
    at: u64,
}

impl<'a> Push<'a> {
    /// Connects.
    ///
    /// # Errors
    /// `registry-unreachable`, `registry-untrusted`, `bad-credentials`, `bad-ca-file`, `interrupted`.
    pub(crate) fn open(address: &Address, access: &Access, stop: &'a dyn Fn() -> bool) -> Result<Self, Error> {
        Ok(Self { server: Server::open(address, access, "pull,push", stop)?, access: access.clone() })
    }

    /// Makes sure that the repository has a blob: it exists, it is mounted from another repository of the registry, or
    /// it is sent. An interrupted upload continues where it ended.
    ///
    /// # Errors
    /// Every failure of a request.
    pub(crate) fn blob<'c>(
        &self,
        digest: &'c str,
        size: u64,
        open: &'c dyn Fn(u64) -> io::Result<Box<dyn Read + 'c>>,
        progress: &'c dyn Fn(u64),
    ) -> Result<(), Error> {
        let content = Content { digest, size, open, progress };
        if !self.has(digest, size)? {
            match self.mount(digest)? {
                Mount::Done => {}
                Mount::Begun(upload) => self.sent(&content, Some(upload))?,
                Mount::No => self.sent(&content, None)?,
            }
        }
        progress(size);
        self.access.has_blob(&self.server.address, digest);
        Ok(())
    }

    /// Pushes the manifest. If the selector is a tag, the tag now refers to it.
    ///
    /// # Errors
    /// Every failure of a request; `bad-registry` if the registry has stored something else.
    pub(crate) fn manifest(&self, selector: &str, media_type: &str, bytes: &[u8]) -> Result<(), Error> {
        let url = self.server.own(&format!("manifests/{selector}"));
        let mut ask = Ask::new(Method::PUT, url, "push the manifest").header("content-type", media_type);
        ask.payload = Payload::Bytes(bytes);
        let answer = self.server.ask(&ask)?;
        self.stored(&answer, &Digest::of(bytes).to_string()).map_err(|fault| fault.error)
    }

    /// Checks the digest that the registry has stored according to its answer.
    pub(super) fn stored(&self, answer: &Answer, digest: &str) -> Result<(), Fault> {
        match answer.header("docker-content-digest") {
            Some(stated) if stated != digest => Err(self.server.odd("has stored other bytes than were sent")),
            _ => Ok(()),
        }
    }

    fn has(&self, digest: &str, size: u64) -> Result<bool, Error> {
        let url = self.server.own(&format!("blobs/{digest}"));
        match self.server.ask(&Ask::new(Method::HEAD, url, "look for a blob")) {
            Ok(answer) => Ok(answer.status == 200 && answer.length().is_none_or(|length| length == size)),
            Err(error) if error.code == "image-missing" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Repositories of this registry to which this run has sent a blob.
    fn others(&self, digest: &str) -> Vec<String> {
        let (host, own) = (self.server.address.host(), self.server.address.repository());
        let is_it =
            |(at, blob, repository): &&(String, String, String)| at == host && blob == digest && repository != own;
        self.access.known().sent.iter().filter(is_it).map(|(_, _, repository)| repository.clone()).collect()
    }

    /// Mounts a blob of another repository. A registry that refuses this begins an upload.
    fn mount(&self, digest: &str) -> Result<Mount, Error> {
        let Some(from) = self.others(digest).into_iter().next() else { return Ok(Mount::No) };
        self.server.add_scope(format!("repository:{from}:pull"));
        let url = self.server.own(&format!("blobs/uploads/?mount={digest}&from={from}"));
        let mut ask = Ask::new(Method::POST, url, "mount a blob");
        ask.payload = Payload::Bytes(&[]);
        match self.server.ask(&ask) {
            Ok(answer) if answer.status == 201 => Ok(Mount::Done),
            Ok(answer) => Ok(self.begun(&ask.url, &answer).map_or(Mount::No, Mount::Begun)),
            Err(error) if matches!(error.code, "interrupted" | "registry-unreachable") => Err(error),
            // Ignore the failure: a mount only saves time.
            Err(_) => Ok(Mount::No),
        }
    }

    /// The upload that an answer begins.
    fn begun(&self, from: &str, answer: &Answer) -> Result<Upload, Fault> {
        let location = answer.header("location").ok_or_else(|| self.server.odd("begins an upload without a URL"))?;
        Ok(Upload { url: self.server.resolved(from, location)?, at: 0 })
    }

    fn begin(&self) -> Result<Upload, Fault> {
        let mut ask = Ask::new(Method::POST, self.server.own("blobs/uploads/"), "push a blob");
        ask.payload = Payload::Bytes(&[]);
        let answer = self.server.send(&ask)?;
        self.begun(&ask.url, &answer)
    }

    /// Sends a blob. The count of tries starts again after each progress.
    fn sent(&self, content: &Content<'_>, mut upload: Option<Upload>) -> Result<(), Error> {
        let (mut tries, mut most) = (0, 0);
        loop {
            let fault = match self.try_once(content, &mut upload) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            if let Some(found) = &upload
                && found.at > most
            {
                (tries, most) = (0, found.at);
            }
            self.server.pause(fault, &mut tries)?;
            upload = upload.take().and_then(|upload| self.asked(upload, content.size));
        }
    }

    /// Asks for the state of an upload; `None` if it must begin again.
    fn asked(&self, upload: Upload, size: u64) -> Option<Upload> {
        let ask = Ask::new(Method::GET, upload.url.clone(), "push a blob");
        let answer = self.server.send(&ask).ok().filter(|answer| answer.status == 204)?;
        let end = answer.header("range").and_then(|range| range.rsplit('-').next()?.trim().parse::<u64>().ok());
        // `0-0` is an empty upload for distribution, and one byte for the specification: one byte is sent again.
        let at = end.map_or(0, |end| if end == 0 { 0 } else { end + 1 });
        let url = match answer.header("location") {
            Some(location) => self.server.resolved(&ask.url, location).ok()?,
            None => upload.url,
        };
        (at <= size).then_some(Upload { url, at })
    }

    /// Sends the missing bytes, and completes the upload.
    fn try_once(&self, content: &Content<'_>, upload: &mut Option<Upload>) -> Result<(), Fault> {
        let mut at = match upload.take() {
            Some(upload) => upload,
            None => self.begin()?,
        };
        if at.at < content.size {
            let ranged = (at.at > 0).then(|| format!("{}-{}", at.at, content.size - 1));
            let mut ask = Ask::new(Method::PATCH, at.url.clone(), "push a blob")
                .header("content-type", "application/octet-stream");
            if let Some(range) = ranged {
                ask = ask.header("content-range", range);
            }
            let from = at.at;
            let open = || -> io::Result<Box<dyn Read + '_>> {
                Ok(Box::new(Counted { inner: (content.open)(from)?, at: from, progress: content.progress }))
            };
            ask.payload = Payload::Stream(&open, content.size - from);
            match self.server.send(&ask) {
                Ok(answer) => {
                    if let Some(location) = answer.header("location") {
                        at.url = self.server.resolved(&ask.url, location)?;
                    }
                    at.at = content.size;
                }
                Err(fault) => {
                    // An upload begins again if the registry has dropped it or has another part of it.
                    let is_lost =
                        matches!(fault.error.code, "image-missing") || fault.error.says.contains("(status 416)");
                    if !is_lost {
                        *upload = Some(at);
                    }
                    return Err(Fault { is_passing: fault.is_passing || is_lost, ..fault });
                }
            }
        }
        let mark = if at.url.contains('?') { '&' } else { '?' };
        let url = format!("{}{mark}digest={}", at.url, content.digest.replace(':', "%3A"));
        let mut ask = Ask::new(Method::PUT, url, "complete a blob").header("content-type", "application/octet-stream");
        ask.payload = Payload::Bytes(&[]);
        match self.server.send(&ask) {
            Ok(answer) => self.stored(&answer, content.digest),
            // The answer to an earlier try may have been lost.
            Err(fault) => match self.has(content.digest, content.size) {
                Ok(true) => Ok(()),
                _ => {
                    let is_passing = fault.is_passing || fault.error.code == "image-missing";
                    Err(Fault { is_passing, ..fault })
                }
            },
        }
    }
}

/// A reader that reports its position.
struct Counted<'c> {
    inner: Box<dyn Read + 'c>,
    at: u64,
    progress: &'c dyn Fn(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.at += read as u64;
        (self.progress)(self.at);
        Ok(read)
    }
}
