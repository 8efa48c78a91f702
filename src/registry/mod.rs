//! Images in registries (OCI distribution specification 1.1): a blocking client that reads and pushes.
//!
//! Answers of a registry are untrusted and bounded: documents, headers, redirects, delays. Digests are always computed.
//! Secrets are sent only to the host that they are for, and never appear in messages. Without the feature `registry`,
//! addresses are still parsed, and refused with a message that says so.

#[cfg(not(feature = "registry"))]
mod absent;
mod address;
#[cfg(feature = "registry")]
mod auth;
#[cfg(feature = "registry")]
mod fault;
pub(crate) mod grammar;
#[cfg(feature = "registry")]
mod http;
#[cfg(feature = "registry")]
mod login;
#[cfg(feature = "registry")]
mod pull;
#[cfg(feature = "registry")]
mod push;
#[cfg(feature = "registry")]
mod referrers;
#[cfg(feature = "registry")]
mod roots;

use std::path::PathBuf;
#[cfg(feature = "registry")]
use std::sync::{Arc, Mutex};

#[cfg(not(feature = "registry"))]
pub(crate) use absent::{Pull, Push};
pub use address::{Address, PREFIX};
#[cfg(feature = "registry")]
pub(crate) use pull::Pull;
#[cfg(feature = "registry")]
pub(crate) use push::Push;

use crate::error::Error;

/// Media types of images and of indexes, in both families.
#[cfg(feature = "registry")]
const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
#[cfg(feature = "registry")]
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// Files that the system's name resolution reads.
const NAME_FILES: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/run/systemd/resolve"];

/// Access to registries: trust, and cached facts about them. Clones share the cache.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// PEM files of this machine with authorities to trust in addition to those of the system.
    pub ca: Vec<PathBuf>,
    /// True if certificates are not verified, and plain HTTP is used where a registry does not speak TLS.
    pub is_insecure: bool,
    #[cfg(feature = "registry")]
    known: Arc<Mutex<Known>>,
}

/// Cached certificates, logins, and locations of blobs that were sent.
#[cfg(feature = "registry")]
#[derive(Default)]
struct Known {
    roots: Option<Vec<ureq::tls::Certificate<'static>>>,
    logins: std::collections::BTreeMap<String, Option<login::Login>>,
    /// Host, digest and repository of blobs that were pushed: another repository of the host can mount them.
    sent: Vec<(String, String, String)>,
}

#[cfg(feature = "registry")]
impl std::fmt::Debug for Known {
    /// Omits secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

impl Access {
    /// Reads certificates and the login for a registry, which may start a credential helper. Afterwards a process that
    /// can read only [`Access::files`] and start no programs can use the registry.
    ///
    /// # Errors
    /// `bad-credentials`, `bad-ca-file`, `no-registry-support`.
    pub fn prepare(&self, address: &Address) -> Result<(), Error> {
        #[cfg(feature = "registry")]
        {
            self.roots(address)?;
            self.login(address)?;
            Ok(())
        }
        #[cfg(not(feature = "registry"))]
        Err(absent::no_support(address))
    }

    /// Files that are read while a registry is used.
    pub fn files() -> impl Iterator<Item = PathBuf> {
        NAME_FILES.iter().map(PathBuf::from)
    }

    /// Records that a repository has a blob, so that others of its registry can mount it.
    pub(crate) fn has_blob(&self, place: &Address, digest: &str) {
        #[cfg(feature = "registry")]
        {
            let place = (place.host().to_owned(), digest.to_owned(), place.repository().to_owned());
            let mut known = self.known();
            if !known.sent.contains(&place) {
                known.sent.push(place);
            }
        }
        #[cfg(not(feature = "registry"))]
        let _ = (place, digest);
    }

    #[cfg(feature = "registry")]
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[cfg(feature = "registry")]
    fn roots(&self, address: &Address) -> Result<Vec<ureq::tls::Certificate<'static>>, Error> {
        if let Some(roots) = &self.known().roots {
            return Ok(roots.clone());
        }
        let roots = roots::load(&self.ca, address.host())?;
        self.known().roots = Some(roots.clone());
        Ok(roots)
    }

    #[cfg(feature = "registry")]
    fn login(&self, address: &Address) -> Result<Option<login::Login>, Error> {
        let name = format!("{}/{}", address.host(), address.repository());
        if let Some(login) = self.known().logins.get(&name) {
            return Ok(login.clone());
        }
        let login = login::find(&address.logins())?;
        self.known().logins.insert(name, login.clone());
        Ok(login)
    }
}

/// Makes text from a registry safe for a message, and shortens it.
#[cfg(feature = "registry")]
fn shown(text: &str) -> String {
    const MAX: usize = 200;
    let cut = text.char_indices().nth(MAX).map_or(text.len(), |(cut, _)| cut);
    let dots = if cut < text.len() { "…" } else { "" };
    format!("{}{dots}", crate::path::show(&text.as_bytes()[..cut]))
}
