//! The image's user is not in its /etc/passwd.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "user-unknown",
    scope: Scope::Image,
    text: "The image's configuration names a user or group that is not in its /etc/passwd or /etc/group. The runtime \
           refuses to start the container: \"unable to find user\". A number always works, so slimroot writes \
           numbers.\n\n\
           For a number without a line in /etc/passwd this is a note: the container starts, but programs that look up \
           their own user (ssh, whoami, Python's getpass, anything that needs a home directory) fail. If that happens, \
           add the account in the builder stage (useradd, adduser), or use an account of the image, such as --user \
           nonroot.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let user = &evidence.run.user;
    if user.is_empty() {
        return Ok(Vec::new());
    }
    let name = user.split(':').next().unwrap_or(user);
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    // The name comes from an image or a service unit. A colon or a quote in it could create another line, or a command.
    let is_account = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !name.starts_with('-');
    let help = match is_account {
        true => format!(
            "use a number as user, or in the builder stage: echo '{name}:x:65532:65532::/nonexistent:/sbin/nologin' >>/etc/passwd"
        ),
        false => "use a number as user".to_owned(),
    };
    if evidence.identity()?.is_none() {
        let says =
            format!("the image runs as {user}, which is not in its /etc/passwd and /etc/group: it will not start");
        return Ok(vec![Finding::new(CHECK.code, Level::Error, user.clone(), says).help(help)]);
    }
    if is_number(name) && !evidence.knows_user(name)? {
        let says = format!(
            "the image runs as {name}, which has no line in its /etc/passwd: programs that look up their user fail"
        );
        let help = format!(
            "if a program needs it, run in the builder stage: echo 'app:x:{name}:{name}::/nonexistent:/sbin/nologin' >>/etc/passwd"
        );
        return Ok(vec![Finding::new(CHECK.code, Level::Note, user.clone(), says).help(help)]);
    }
    Ok(Vec::new())
}
