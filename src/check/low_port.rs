//! The image exposes a port that its user may not bind.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};

pub(super) const CHECK: Check = Check {
    code: "low-port",
    scope: Scope::Image,
    text: "The image exposes a port under 1024 and does not run as root. Docker 20.10 and newer allows this, but \
           rootless podman and Kubernetes do not by default (sysctl net.ipv4.ip_unprivileged_port_start=0 allows it). \
           Listen on a port such as 8080 and publish it as 80.",
    find,
};

/// The first unprivileged port (ip(7), ip_unprivileged_port_start).
const FIRST_FREE: u32 = 1024;

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    if evidence.identity()?.is_none_or(|user| user.uid == 0) {
        return Ok(Vec::new());
    }
    let number = |port: &&String| port.split('/').next().and_then(|text| text.parse::<u32>().ok());
    let low = evidence.run.ports.iter().filter(|port| number(port).is_some_and(|port| port < FIRST_FREE));
    Ok(low
        .map(|port| {
            let says = format!("port {port} is under {FIRST_FREE}, and the image runs as {}", evidence.user_shown());
            Finding::new(CHECK.code, Level::Warning, port.clone(), says)
                .help("listen on a port above 1023, or docker run --sysctl net.ipv4.ip_unprivileged_port_start=0")
        })
        .collect())
}
