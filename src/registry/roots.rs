//! Certificate authorities: those of the system, those of the user's options, and those that docker and podman store
//! for a registry.

use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::error::Error;

/// Directories with a directory for each registry, whose `*.crt` are authorities (containers-certs.d(5)).
const FOLDERS: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];
/// Maximum number of files that are read for a registry.
const MAX_FILES: usize = 64;

/// The authorities to trust. It is not an error if the system has none: the registry may use plain HTTP.
///
/// # Errors
/// `bad-ca-file` for a file of the user's options.
pub(super) fn load(named: &[PathBuf], host: &str) -> Result<Vec<Certificate<'static>>, Error> {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut found: Vec<Certificate<'static>> =
        system.iter().map(|der| Certificate::from_der(der.as_ref()).to_owned()).collect();
    for path in named {
        let bad = |why: &str| {
            Error::new("bad-ca-file", format!("{}: {why}", path.display()))
                .help("--registry-ca takes certificates in PEM form; convert DER with openssl x509 -inform der")
        };
        let text = crate::text::read_bytes(path).map_err(|error| bad("cannot be read").because(error))?;
        let own = certificates(&text);
        if own.is_empty() {
            return Err(bad("holds no certificate"));
        }
        found.extend(own);
    }
    for folder in FOLDERS {
        let Ok(files) = std::fs::read_dir(Path::new(folder).join(host)) else { continue };
        let files = files.filter_map(|entry| Some(entry.ok()?.path())).take(MAX_FILES);
        for path in files.filter(|path| path.extension().is_some_and(|end| end == "crt")) {
            found.extend(crate::text::read_bytes(&path).map(|text| certificates(&text)).unwrap_or_default());
        }
    }
    Ok(found)
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    items.filter_map(|item| if let PemItem::Certificate(found) = item { Some(found) } else { None }).collect()
}
