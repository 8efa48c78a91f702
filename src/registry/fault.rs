//! Failures of requests to a registry, and whether a retry may help.

use std::time::Duration;

use serde::Deserialize;

use super::address::Address;
use super::shown;
use crate::error::Error;

/// A failure of one request.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    /// True if the same request may succeed later.
    pub(super) is_passing: bool,
    /// Delay that the registry requests.
    pub(super) wait: Option<Duration>,
}

impl Fault {
    pub(super) fn lasting(error: Error) -> Self {
        Self { error, is_passing: false, wait: None }
    }

    pub(super) fn passing(error: Error) -> Self {
        Self { error, is_passing: true, wait: None }
    }
}

/// The document of an error (distribution specification, "Error Codes").
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// Returns the registry's message about a failure, without secrets that it may repeat.
pub(super) fn registry_message(body: &[u8], secrets: &[String]) -> String {
    let first = serde_json::from_slice::<Document>(body).ok().and_then(|found| found.errors.into_iter().next());
    let mut text = match first {
        Some(said) => match said.message.filter(|message| !message.is_empty()) {
            Some(message) => format!("{}: {message}", said.code),
            None => said.code,
        },
        None => return String::new(),
    };
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "***");
    }
    format!(", which says {}", shown(&text))
}

/// The failure for a status.
pub(super) fn of_status(address: &Address, what: &str, status: u16, told: &str, wait: Option<Duration>) -> Fault {
    let host = address.host();
    let says = |why: &str| format!("{address}: cannot {what}: {host} {why} (status {status}){told}");
    match status {
        401 | 403 => Fault::lasting(
            Error::new("registry-denied", says("does not allow it"))
                .help(format!("log in with docker login {host} or podman login {host}, as a user who may do it")),
        ),
        404 => Fault::lasting(
            Error::new("image-missing", says("has no such thing"))
                .help("check its name and tag; some registries also say this to users who may not see the image"),
        ),
        408 | 425 | 429 => Fault {
            wait,
            ..Fault::passing(
                Error::new("registry-busy", says("limits the rate of requests"))
                    .help("try again later, or log in: limits are often lower for anonymous users"),
            )
        },
        413 | 507 => Fault::lasting(
            Error::new("registry-refused", says("has no space for it"))
                .help("ask the operator of the registry for more space or a higher limit"),
        ),
        500..=599 => Fault {
            wait,
            ..Fault::passing(
                Error::new("registry-refused", says("fails")).help("try again later, or see the registry's log"),
            )
        },
        _ => Fault::lasting(Error::new("registry-refused", says("refuses")).help("see the registry's message and log")),
    }
}

/// The failure for a connection error.
pub(super) fn of_transport(address: &Address, host: &str, error: &ureq::Error) -> Fault {
    let says = |why: &str| format!("{address}: {host} {why}");
    if let Some(why) = certificate(error) {
        return Fault::lasting(
            Error::new("registry-untrusted", says(&format!("shows a certificate that is not trusted: {why}"))).help(
                "give its authority with --registry-ca FILE, or put it into /etc/containers/certs.d; --insecure turns \
                 verification off",
            ),
        );
    }
    let why = match error {
        ureq::Error::HostNotFound => "has no address that can be resolved here".to_owned(),
        ureq::Error::Timeout(_) => "does not answer in time".to_owned(),
        ureq::Error::Io(error) => format!("cannot be reached, or ends the connection: {}", shown(&error.to_string())),
        ureq::Error::Rustls(error) => format!("does not speak TLS as it should: {}", shown(&error.to_string())),
        ureq::Error::Protocol(error) => format!("does not speak HTTP as it should: {}", shown(&error.to_string())),
        other => format!("cannot be used: {}", shown(&other.to_string())),
    };
    let error = Error::new("registry-unreachable", says(&why))
        .help("check the name and port, the network, and the variables HTTPS_PROXY and NO_PROXY");
    Fault::passing(error)
}

/// Why a certificate is not trusted.
fn certificate(error: &ureq::Error) -> Option<String> {
    let of_tls = |error: &rustls::Error| match error {
        rustls::Error::InvalidCertificate(why) if format!("{why:?}").contains("CaUsedAsEndEntity") => {
            Some("it is marked as an authority; make one for the host with CA:FALSE".to_owned())
        }
        rustls::Error::InvalidCertificate(why) => Some(shown(&why.to_string())),
        _ => None,
    };
    match error {
        ureq::Error::Rustls(error) => of_tls(error),
        ureq::Error::Io(error) => of_tls(error.get_ref()?.downcast_ref::<rustls::Error>()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_registry_hold_no_secret_and_no_escape() {
        let body = br#"{"errors": [{"code": "DENIED", "message": "token hunter2 is \u001b[31m bad"}]}"#;
        assert_eq!(registry_message(body, &["hunter2".to_owned()]), ", which says DENIED: token *** is \\x1b[31m bad");
        assert_eq!(registry_message(b"<html>", &[]), "");
        assert_eq!(registry_message(br#"{"errors": [{"code": "X"}]}"#, &[String::new()]), ", which says X");
    }
}
