//! Reading an image from a registry.

use std::io::{self, Read};

use ureq::http::Method;

use super::fault::Fault;
use super::grammar::is_digest;
use super::http::{Ask, MAX_TRIES, Server};
use super::{Access, Address, INDEXES, MANIFESTS, shown};
use crate::digest::Digest;
use crate::error::Error;

/// Maximum size of a manifest or index (distribution specification, "Pushing Manifests").
const MAX_MANIFEST: u64 = 4 << 20;

/// A repository to read from.
pub(crate) struct Pull<'a>(Server<'a>);

impl<'a> Pull<'a> {
    /// Connects.
    ///
    /// # Errors
    /// `registry-unreachable`, `registry-untrusted`, `bad-credentials`, `bad-ca-file`, `interrupted`.
    pub(crate) fn open(address: &Address, access: &Access, stop: &'a dyn Fn() -> bool) -> Result<Self, Error> {
        Ok(Self(Server::open(address, access, "pull", stop)?))
    }

    /// A manifest or index by tag or digest, with its media type. Its digest is that of the bytes.
    ///
    /// # Errors
    /// `image-missing`, `bad-registry` if the digest or media type does not match the bytes, and every failure of a
    /// request.
    pub(crate) fn manifest(&self, selector: &str) -> Result<(Vec<u8>, String), Error> {
        self.0.patiently(|| self.manifest_once(selector))
    }

    fn manifest_once(&self, selector: &str) -> Result<(Vec<u8>, String), Fault> {
        let accept = [MANIFESTS, INDEXES].concat().join(", ");
        let url = self.0.own(&format!("manifests/{selector}"));
        let ask = Ask::new(Method::GET, url, "read the manifest").header("accept", accept);
        let answer = self.0.send(&ask)?;
        let type_of = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let media_type = answer.header("content-type").map(type_of).unwrap_or_default();
        let stated = answer.header("docker-content-digest").map(str::to_owned);
        let length = answer.length();
        let bytes = answer.bytes(MAX_MANIFEST).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => self.0.odd("sends a manifest of more than 4 MiB"),
            _ => self.cut(&error),
        })?;
        if length.is_some_and(|length| length != bytes.len() as u64) {
            return Err(self.0.odd("sends a manifest whose length differs from its header"));
        }
        let found = Digest::of(&bytes).to_string();
        let wanted = Some(selector).filter(|selector| is_digest(selector));
        if let Some(stated) = wanted.or(stated.as_deref().filter(|stated| is_digest(stated)))
            && stated != found
        {
            return Err(self.0.odd(&format!("sends a manifest with the digest {found} instead of {}", shown(stated))));
        }
        let media_type = self.media_type(&bytes, media_type)?;
        Ok((bytes, media_type))
    }

    /// The media type of a manifest. Header and document must agree, and the document must be of one kind; otherwise
    /// other clients could see another image (CVE-2021-41190).
    fn media_type(&self, bytes: &[u8], of_header: String) -> Result<String, Fault> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            #[serde(default)]
            media_type: Option<String>,
            #[serde(default)]
            schema_version: Option<u32>,
            #[serde(default)]
            manifests: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            layers: Option<serde::de::IgnoredAny>,
        }
        let Ok(head) = serde_json::from_slice::<Head>(bytes) else {
            return Err(self.0.odd("sends a manifest that is not JSON"));
        };
        if head.schema_version == Some(1) {
            return Err(self.0.odd(
                "has the image only in the format of 2014 (schema 1), which slimroot does not read: push it again",
            ));
        }
        let known =
            |media_type: &String| MANIFESTS.contains(&media_type.as_str()) || INDEXES.contains(&media_type.as_str());
        let of_header = Some(of_header).filter(known);
        if let (Some(header), Some(own)) = (&of_header, &head.media_type)
            && header != own
        {
            return Err(self.0.odd(&format!("sends a manifest as {} that is marked as {}", shown(header), shown(own))));
        }
        let media_type = of_header.or(head.media_type).unwrap_or_default();
        let is_index = match (head.manifests.is_some(), head.layers.is_some()) {
            (true, true) => return Err(self.0.odd("sends a document that is both a manifest and an index")),
            (is_index, _) => is_index,
        };
        if INDEXES.contains(&media_type.as_str()) != is_index && !media_type.is_empty() {
            return Err(self.0.odd(&format!("sends a document that is not {}", shown(&media_type))));
        }
        Ok(if is_index && media_type.is_empty() { INDEXES[0].to_owned() } else { media_type })
    }

    /// A blob, read from start to end. An interrupted transfer continues where it ended. The caller verifies the
    /// digest.
    ///
    /// # Errors
    /// `bad-registry` for an invalid digest. Later failures are read errors that contain an [`Error`].
    pub(crate) fn blob(&self, digest: &str, size: u64) -> Result<Box<dyn Read + '_>, Error> {
        if !is_digest(digest) {
            return Err(self.0.odd("has a blob whose digest is not SHA-256").error);
        }
        let url = self.0.own(&format!("blobs/{digest}"));
        Ok(Box::new(BlobReader { pull: self, url, size, at: 0, body: None, tries: 0 }))
    }

    fn cut(&self, error: &io::Error) -> Fault {
        let says = format!("{}: the connection to {} was cut: {error}", self.0.address, self.0.address.host());
        Fault::passing(Error::new("registry-unreachable", says).help("try again; check the network"))
    }
}

struct BlobReader<'p> {
    pull: &'p Pull<'p>,
    url: String,
    size: u64,
    at: u64,
    body: Option<Box<dyn Read>>,
    /// Tries since the last byte was received.
    tries: u32,
}

impl BlobReader<'_> {
    /// Requests the bytes that are still missing.
    fn opened(&self) -> Result<Box<dyn Read>, Fault> {
        let server = &self.pull.0;
        let mut ask = Ask::new(Method::GET, self.url.clone(), "read a layer or the configuration");
        if self.at > 0 {
            ask = ask.header("range", format!("bytes={}-", self.at));
        }
        let answer = server.send(&ask)?;
        let left = self.size - self.at;
        let is_part = answer.status == 206;
        if is_part {
            let start = answer
                .header("content-range")
                .and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok());
            if start != Some(self.at) {
                return Err(server.odd("sends another part of a blob than was requested"));
            }
        }
        let expected = if is_part { left } else { self.size };
        if answer.length().is_some_and(|length| length != expected) {
            return Err(server.odd("has a blob whose size differs from the manifest"));
        }
        let mut reader = answer.reader();
        if !is_part && self.at > 0 {
            // A registry without range requests starts again.
            let skipped = io::copy(&mut reader.by_ref().take(self.at), &mut io::sink());
            if skipped.map_err(|error| self.pull.cut(&error))? < self.at {
                return Err(self.pull.cut(&io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(reader)
    }

    fn step(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if self.body.is_none() {
            self.body = Some(self.opened()?);
        }
        let Some(body) = &mut self.body else { return Ok(0) };
        let wanted = buffer.len().min(usize::try_from(self.size - self.at).unwrap_or(usize::MAX));
        match body.read(&mut buffer[..wanted]) {
            Ok(0) => Err(self.pull.cut(&io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => Ok(read),
            Err(error) => Err(self.pull.cut(&error)),
        }
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.size || buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.step(buffer) {
                Ok(read) => {
                    self.at += read as u64;
                    self.tries = 0;
                    return Ok(read);
                }
                Err(fault) => {
                    self.body = None;
                    debug_assert!(self.tries < MAX_TRIES);
                    self.pull.0.pause(fault, &mut self.tries).map_err(io::Error::other)?;
                }
            }
        }
    }
}
