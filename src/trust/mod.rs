//! CA certificates, and the formats in which libraries store them. Signatures are not verified.

mod der;
mod key_store;
mod pem;
mod subject;

pub use key_store::{KeyStore, with_authorities};
pub use pem::certificates;

use crate::error::Error;
use sha1::{Digest, Sha1};

/// A certificate to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The readable name of its subject.
    pub subject: String,
    /// The subject hash by which OpenSSL finds the file of a certificate (openssl-rehash(1)).
    pub hash: u32,
    /// The end of its validity, in seconds since 1970.
    pub until: i64,
}

impl Authority {
    /// Parses one certificate (RFC 5280, section 4.1); `None` if it is not valid.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (certificate, _) = der::first(der)?;
        let (signed, _) = der::first(certificate.content).filter(|_| certificate.tag == der::SEQUENCE)?;
        let fields = der::all(signed.content)?;
        // Certificates of version 1 have no version field.
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

    /// The CA certificates of a PEM file of the user; `origin` is its name.
    ///
    /// # Errors
    /// `bad-ca-file` for a file without certificates, one with a private key, or one with a damaged certificate.
    pub fn parse_file(text: &[u8], origin: &str) -> Result<Vec<Self>, Error> {
        let bad = |why: &str, help: &str| Err(Error::new("bad-ca-file", format!("--ca {origin}: {why}")).help(help));
        if pem::has_private_key(text) {
            return bad(
                "it contains a private key, which must not be in an image",
                "extract the certificate: openssl x509 -in FILE -out ca.pem",
            );
        }
        let found = pem::certificates(text);
        if found.is_empty() {
            return match Self::parse(text) {
                Some(_) => bad("it is DER, not PEM", "convert it: openssl x509 -inform der -in FILE -out ca.pem"),
                None => bad(
                    "it contains no PEM certificate",
                    "a certificate starts with the line -----BEGIN CERTIFICATE-----",
                ),
            };
        }
        let read: Option<Vec<Self>> = found.iter().map(|der| der.as_deref().and_then(Self::parse)).collect();
        match read {
            Some(read) => Ok(read),
            None => bad("one of its certificates is damaged", "openssl x509 -in FILE -noout -text shows what is wrong"),
        }
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        pem::encode(&self.der)
    }
}
