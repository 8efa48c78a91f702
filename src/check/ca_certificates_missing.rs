//! TLS without authorities to trust.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "ca-certificates-missing",
    scope: Scope::Image,
    text: "The program is linked with a TLS library, or holds the path of a certificate bundle, but the image has no bundle of \
           certificate authorities. Every https connection that verifies its peer fails, often with \"unable to get local \
           issuer certificate\" or \"x509: certificate signed by unknown authority\".\n\n\
           Install ca-certificates in the builder stage; slimroot then packs the bundle by itself. If the program only \
           serves TLS, or brings its own authorities: --allow ca-certificates-missing.",
    find,
};

/// The profile that knows the signs and the places.
const PROFILE: &str = "ca-certificates";

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(fired) = evidence.fired(PROFILE) else { return Ok(Vec::new()) };
    if evidence.has_file_of(PROFILE)? {
        return Ok(Vec::new());
    }
    let says = format!("TLS is used ({}), but the image has no certificate authorities", fired.because);
    Ok(vec![Finding::new(CHECK.code, Level::Warning, "/etc/ssl/certs/ca-certificates.crt", says).help(
        "apt-get install ca-certificates (apk add ca-certificates) in the builder stage, and build the image again",
    )])
}
