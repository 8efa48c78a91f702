//! The image's user is a name.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "user-not-numeric",
    scope: Scope::Image,
    text: "The image's configuration names its user by name. Kubernetes cannot tell whether a name is root, so a pod with \
           runAsNonRoot: true and without runAsUser does not start: \"image has non-numeric user\". Write the number \
           in the Dockerfile (USER 1000:1000), or set runAsUser in the pod. slimroot build writes numbers.",
    find,
};

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let user = &evidence.run.user;
    let name = user.split(':').next().unwrap_or(user);
    // Names that are not in the image's /etc/passwd are another finding.
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Vec::new());
    }
    let Some(identity) = evidence.identity()? else { return Ok(Vec::new()) };
    let says = format!("the user is the name {user}: Kubernetes refuses it with runAsNonRoot");
    let help = format!("write USER {}", identity.uid);
    Ok(vec![Finding::new(CHECK.code, Level::Note, user.clone(), says).help(help)])
}
