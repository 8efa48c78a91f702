//! Documents that refer to an image in a registry (distribution specification 1.1, "Listing Referrers").

use std::io;

use serde_json::{Value, json};
use ureq::http::Method;

use super::http::{Ask, Payload};
use super::push::Push;
use super::{INDEXES, MANIFESTS};
use crate::digest::Digest;
use crate::error::Error;

/// Maximum size of an index (distribution specification, "Pushing Manifests").
const MAX_INDEX: u64 = 4 << 20;
/// Number of times that an index is written again after another client has overwritten it.
const MAX_ROUNDS: usize = 4;

impl Push<'_> {
    /// Puts the manifest of a document that refers to the image with the digest `subject`; `described` is the
    /// manifest's descriptor. If the answer shows that the registry has no referrers API, an index is pushed under the
    /// tag that the specification derives from the digest ("Referrers Tag Schema").
    ///
    /// # Errors
    /// Every failure of a request; `bad-registry` if the index is invalid, or if other clients keep overwriting it.
    pub(crate) fn referrer(&self, manifest: &[u8], described: &Value, subject: &str) -> Result<(), Error> {
        let digest = Digest::of(manifest).to_string();
        let url = self.server.own(&format!("manifests/{digest}"));
        let mut ask = Ask::new(Method::PUT, url, "attach a document").header("content-type", MANIFESTS[0]);
        ask.payload = Payload::Bytes(manifest);
        let answer = self.server.ask(&ask)?;
        self.stored(&answer, &digest).map_err(|fault| fault.error)?;
        if answer.header("oci-subject") == Some(subject) {
            return Ok(());
        }
        let tag = subject.replace(':', "-");
        for _ in 0..MAX_ROUNDS {
            let mut index = self.index(&tag)?;
            let rows = index["manifests"].as_array_mut().ok_or_else(|| self.no_index(&tag))?;
            if rows.iter().any(|row| row["digest"] == digest.as_str()) {
                return Ok(());
            }
            rows.push(described.clone());
            self.manifest(&tag, INDEXES[0], &serde_json::to_vec(&index).unwrap_or_default())?;
        }
        Err(self.server.odd(&format!("does not keep the index {tag}: other clients write it at the same time")).error)
    }

    /// The index of a tag; an empty one if there is none.
    fn index(&self, tag: &str) -> Result<Value, Error> {
        let url = self.server.own(&format!("manifests/{tag}"));
        // A registry may answer "not found" if there is a document of another type.
        let accept = [INDEXES, MANIFESTS].concat().join(", ");
        let ask = Ask::new(Method::GET, url, "read the list of attached documents").header("accept", accept);
        let answer = match self.server.ask(&ask) {
            Ok(answer) => answer,
            Err(error) if error.code == "image-missing" => {
                return Ok(json!({ "schemaVersion": 2, "mediaType": INDEXES[0], "manifests": [] }));
            }
            Err(error) => return Err(error),
        };
        let bytes = answer.bytes(MAX_INDEX).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => self.server.odd("sends an index of more than 4 MiB").error,
            _ => Error::unreadable(&format!("the index {tag} of the registry"), error),
        })?;
        serde_json::from_slice(&bytes).ok().filter(Value::is_object).ok_or_else(|| self.no_index(tag))
    }

    fn no_index(&self, tag: &str) -> Error {
        self.server.odd(&format!("has something under {tag} that is not an index")).error
    }
}
