//! An authority of the user's own that is of no use any more.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "ca-expired",
    scope: Scope::Image,
    text: "A certificate given by --ca is no longer valid on the day of the build. TLS libraries refuse whatever it signed, with \
           \"certificate has expired\". Ask for the certificate that took its place. An expired one that only stands in the same \
           file as a valid one does no harm: --allow ca-expired.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let is_over = |until: i64| i64::try_from(now).is_ok_and(|now| until < now);
    let expired = evidence.closure.authorities.iter().filter(|authority| is_over(authority.until));
    let finding = |subject: &String| {
        let says = format!("the certificate {subject} of --ca has expired");
        let help = "openssl x509 -in FILE -noout -enddate shows until when it was valid";
        Finding::new(CHECK.code, Level::Warning, subject.clone(), says).help(help)
    };
    Ok(expired.map(|authority| finding(&authority.subject)).collect())
}
