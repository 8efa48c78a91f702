//! Programs that use TLS in an image without CA certificates.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "ca-certificates-missing",
    scope: Scope::Image,
    text: "The program is linked with a TLS library, or contains the path of a certificate bundle, but the image has \
           no CA certificates. Every https connection that verifies its peer fails, often with \"unable to get local \
           issuer certificate\" or \"x509: certificate signed by unknown authority\".\n\n\
           Install ca-certificates in the builder stage; slimroot then packs the bundle automatically. If the program \
           only serves TLS, or includes its own CA certificates, use --allow ca-certificates-missing.",
    find,
};

/// The profile that contains the triggers and the paths of bundles.
const PROFILE: &str = "ca-certificates";

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(applied) = evidence.applied(PROFILE) else { return Ok(Vec::new()) };
    if evidence.has_file_of(PROFILE)? {
        return Ok(Vec::new());
    }
    let says = format!("the image has no CA certificates, but its programs may use TLS ({})", applied.because);
    let help = evidence.install("ca-certificates")?;
    let help = help.unwrap_or_else(|| "install the package ca-certificates in the builder stage".to_owned());
    let finding = Finding::new(CHECK.code, Level::Warning, "/etc/ssl/certs/ca-certificates.crt", says);
    Ok(vec![finding.help(format!("{help}, and build the image again"))])
}
