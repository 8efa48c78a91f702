//! Certificates of a builder that are in an image as a part of another file: distributions copy those of a package into
//! bundles and key stores, which belong to no package.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::path::RootPath;
use crate::root::Root;
use crate::sbom::Inventory;
use crate::trust::{KeyStore, certificates};

/// Maximum size of a file with certificates.
const MAX_FILE: u64 = 4 << 20;
/// Ends of the names of files with certificates (RFC 2585, 4; RFC 8555, 9.1).
const ENDS: [&[u8]; 3] = [b".crt", b".pem", b".cer"];
/// Second bytes of a DER sequence of more than 255 bytes (X.690, 8.1.3.5).
const LENGTHS: [u8; 3] = [0x82, 0x83, 0x84];

/// The files of the builder with a certificate that is in the image, in whatever file. If the image has a key store, whose
/// certificates may be encrypted, these are all files with certificates.
///
/// # Errors
/// `unreadable`.
pub(super) fn copied(builder: (&Root, &Inventory), image: (&Root, &Inventory)) -> Result<BTreeSet<RootPath>, Error> {
    let mut known: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut is_unknown = false;
    for path in image.1.files.keys() {
        if !is_named(path) {
            let head = image.0.head(path, 4)?;
            let is_long = head.get(1).is_some_and(|byte| LENGTHS.contains(byte));
            is_unknown |= match KeyStore::of(&head) {
                Some(KeyStore::Jks) => true,
                Some(KeyStore::Pkcs12) => is_long,
                None => false,
            };
            continue;
        }
        match of(image.0, path)? {
            Some(found) => known.extend(found),
            None => is_unknown = true,
        }
    }
    let mut all = BTreeSet::new();
    for path in builder.1.files.keys().filter(|path| is_named(path)) {
        let is_copied = match of(builder.0, path)? {
            Some(found) => !found.is_empty() && (is_unknown || found.iter().any(|one| known.contains(one))),
            None => true,
        };
        all.extend(is_copied.then(|| path.clone()));
    }
    Ok(all)
}

fn is_named(path: &RootPath) -> bool {
    ENDS.iter().any(|end| path.name().ends_with(end))
}

/// The certificates in a file, in DER; `None` if it is too large.
fn of(root: &Root, path: &RootPath) -> Result<Option<Vec<Vec<u8>>>, Error> {
    if root.meta(path)?.is_none_or(|meta| meta.size > MAX_FILE) {
        return Ok(None);
    }
    let text = root.read(path, usize::try_from(MAX_FILE).unwrap_or(usize::MAX))?;
    Ok(Some(certificates(&text).into_iter().flatten().collect()))
}
