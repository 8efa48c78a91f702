//! A certificate given with --ca has expired.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "ca-expired",
    scope: Scope::Image,
    text: "A certificate given with --ca has expired. TLS libraries reject every certificate that it signed, with \
           \"certificate has expired\". Use the certificate that replaces it. An expired certificate is harmless if the \
           same file also has the valid one: use --allow ca-expired.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let is_over = |until: i64| i64::try_from(now).is_ok_and(|now| until < now);
    let expired = evidence.closure.authorities.iter().filter(|authority| is_over(authority.until));
    let finding = |subject: &String| {
        let says = format!("the certificate {subject} of --ca has expired");
        let help = "openssl x509 -in FILE -noout -enddate shows when it expired";
        Finding::new(CHECK.code, Level::Warning, subject.clone(), says).help(help)
    };
    Ok(expired.map(|authority| finding(&authority.subject)).collect())
}
