//! Java key stores: JKS (sun.security.provider.JavaKeyStore), and PKCS #12 (RFC 7292) without a password, which OpenJDK
//! 18 and later use.

use sha1::{Digest, Sha1};

use super::{Authority, der};

const MAGIC: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];
const COUNT: std::ops::Range<usize> = 8..12;
const DIGEST: usize = 20;
/// The type of a certificate entry.
const TRUSTED: u32 = 2;
/// The well-known default password of trust stores, and the salt that JKS adds to it.
const PASSWORD: &str = "changeit";
const SALT: &[u8] = b"Mighty Aphrodite";

/// Object identifiers of PKCS #12: data, certificate bag, X.509 certificate, friendly name, trusted key usage, any
/// usage.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const CERTIFICATE_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const TRUSTED_KEY_USAGE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 1, 1];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];

/// The format of a key store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStore {
    /// JKS.
    Jks,
    /// PKCS #12.
    Pkcs12,
}

impl KeyStore {
    /// Detects the format from the first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            _ if bytes.starts_with(MAGIC) => Some(Self::Jks),
            [der::SEQUENCE, ..] => Some(Self::Pkcs12),
            _ => None,
        }
    }
}

/// The key store with additional CA certificates; `None` if it has another format or another password.
pub fn with_authorities(store: &[u8], authorities: &[Authority]) -> Option<Vec<u8>> {
    match KeyStore::of(store)? {
        KeyStore::Jks => jks(store, authorities),
        KeyStore::Pkcs12 => pkcs12(store, authorities),
    }
}

fn alias(authority: &Authority) -> String {
    let digest = Sha1::digest(&authority.der);
    digest.iter().take(8).fold("slimroot-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

fn jks(store: &[u8], authorities: &[Authority]) -> Option<Vec<u8>> {
    let (body, digest) = store.split_at_checked(store.len().checked_sub(DIGEST)?)?;
    if body.len() < COUNT.end || signed(body) != digest {
        return None;
    }
    let mut body = body.to_vec();
    let count = u32::from_be_bytes(body[COUNT].try_into().ok()?);
    let count = count.checked_add(u32::try_from(authorities.len()).ok()?)?;
    body[COUNT].copy_from_slice(&count.to_be_bytes());
    let text = |body: &mut Vec<u8>, text: &str| {
        body.extend_from_slice(&(text.len() as u16).to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    };
    for authority in authorities {
        body.extend_from_slice(&TRUSTED.to_be_bytes());
        text(&mut body, &alias(authority));
        const ADDED: u64 = 0;
        body.extend_from_slice(&ADDED.to_be_bytes());
        text(&mut body, "X.509");
        body.extend_from_slice(&u32::try_from(authority.der.len()).ok()?.to_be_bytes());
        body.extend_from_slice(&authority.der);
    }
    let digest = signed(&body);
    Some([body, digest].concat())
}

fn signed(body: &[u8]) -> Vec<u8> {
    let password: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect();
    Sha1::new().chain_update(password).chain_update(SALT).chain_update(body).finalize().to_vec()
}

fn pkcs12(store: &[u8], authorities: &[Authority]) -> Option<Vec<u8>> {
    let (pfx, _) = der::first(store)?;
    // A third field would be a MAC with a password.
    let fields = der::all(pfx.content)?;
    let [version, info] = fields.as_slice() else { return None };
    let parts = der::all(info.content)?;
    let [kind, held] = parts.as_slice() else { return None };
    let (octets, _) = der::first(held.content)?;
    let (safes, _) = der::first(octets.content)?;
    if kind.content != DATA || octets.tag != der::OCTETS || safes.tag != der::SEQUENCE {
        return None;
    }
    let bags: Vec<u8> = authorities.iter().flat_map(bag).collect();
    let more = data(&der::make(der::SEQUENCE, &bags));
    let safes = der::make(der::SEQUENCE, &[safes.content, &more].concat());
    Some(der::make(der::SEQUENCE, &[version.whole, &data(&safes)].concat()))
}

/// Wraps the content in a ContentInfo.
fn data(content: &[u8]) -> Vec<u8> {
    let held = der::make(der::CONTEXT_0, &der::make(der::OCTETS, content));
    der::make(der::SEQUENCE, &[der::make(der::OID, DATA), held].concat())
}

fn bag(authority: &Authority) -> Vec<u8> {
    let oid = |oid: &[u8]| der::make(der::OID, oid);
    let attribute =
        |kind: &[u8], value: Vec<u8>| der::make(der::SEQUENCE, &[oid(kind), der::make(der::SET, &value)].concat());
    let certificate = der::make(der::CONTEXT_0, &der::make(der::OCTETS, &authority.der));
    let held = der::make(der::SEQUENCE, &[oid(X509), certificate].concat());
    let name: Vec<u8> = alias(authority).encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut attributes =
        [attribute(FRIENDLY_NAME, der::make(der::BMP, &name)), attribute(TRUSTED_KEY_USAGE, oid(ANY_USAGE))];
    attributes.sort();
    let parts = [oid(CERTIFICATE_BAG), der::make(der::CONTEXT_0, &held), der::make(der::SET, &attributes.concat())];
    der::make(der::SEQUENCE, &parts.concat())
}
