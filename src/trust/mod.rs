//! Trust: certificates of authorities, and the forms in which libraries keep them. Signatures are nobody's business here.

mod der;
mod key_store;
mod pem;
mod subject;

pub use key_store::{KeyStore, with_authorities};
pub use pem::certificates;

use crate::error::Error;
use sha1::{Digest, Sha1};

/// A certificate that shall be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Who it is of, in words.
    pub subject: String,
    /// The number by which OpenSSL looks for the file of a certificate (openssl-rehash(1)).
    pub hash: u32,
    /// Until when it is valid, in seconds since 1970.
    pub until: i64,
}

impl Authority {
    /// Reads one certificate (RFC 5280, section 4.1); `None` if it is none.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (certificate, _) = der::first(der)?;
        let (signed, _) = der::first(certificate.content).filter(|_| certificate.tag == der::SEQUENCE)?;
        let fields = der::all(signed.content)?;
        // The version is not there in the oldest.
        let at = usize::from(fields.first()?.tag == der::CONTEXT_0);
        let (validity, subject) = (fields.get(at + 3)?, fields.get(at + 4)?);
        if fields.get(at)?.tag != der::INTEGER || subject.tag != der::SEQUENCE {
            return None;
        }
        let until = subject::seconds(der::all(validity.content)?.get(1)?)?;
        let digest = Sha1::digest(subject::canonical(subject.content)?);
        let hash = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let subject = subject::words(subject.content);
        Some(Self { der: certificate.whole.to_vec(), subject, hash, until })
    }

    /// The authorities of a PEM file that the user gives; `origin` is its name.
    ///
    /// # Errors
    /// `bad-ca-file` for a file without certificates, one with a private key, or one with a damaged certificate.
    pub fn parse_file(text: &[u8], origin: &str) -> Result<Vec<Self>, Error> {
        let bad = |why: &str, help: &str| Err(Error::new("bad-ca-file", format!("--ca {origin}: {why}")).help(help));
        if pem::has_private_key(text) {
            return bad(
                "it holds a private key, which must not come near an image",
                "give the certificates alone: openssl x509 -in FILE -out ca.pem",
            );
        }
        let found = pem::certificates(text);
        if found.is_empty() {
            return match Self::parse(text) {
                Some(_) => bad("it is DER, not PEM", "openssl x509 -inform der -in FILE -out ca.pem"),
                None => bad("it holds no certificate in PEM", "a line -----BEGIN CERTIFICATE----- begins one"),
            };
        }
        let read: Option<Vec<Self>> = found.iter().map(|der| der.as_deref().and_then(Self::parse)).collect();
        match read {
            Some(read) => Ok(read),
            None => bad("one of its certificates is damaged", "openssl x509 -in FILE -noout -text shows what is wrong"),
        }
    }

    /// The certificate as text.
    pub fn pem(&self) -> String {
        pem::encode(&self.der)
    }
}
