//! Programs that need libgcc_s.so.1, which glibc opens at run time.

use super::{Check, Evidence, Scope};
use crate::error::Error;
use crate::finding::{Finding, Level};
use crate::loader::{Family, open};

pub(super) const CHECK: Check = Check {
    code: "unwinder-missing",
    scope: Scope::Image,
    text: "glibc opens libgcc_s.so.1 when a thread is cancelled or exits (pthread_cancel, pthread_exit), and for \
           backtraces. It is not a DT_NEEDED dependency, so ldd does not show it. Without it the process aborts with \
           \"libgcc_s.so.1 must be installed for pthread_exit to work\". Install libgcc-s1 (libgcc) in the builder \
           stage.",
    find,
};

const PROFILE: &str = "unwind";
const LIBRARY: &[u8] = b"libgcc_s.so.1";

fn find(evidence: &Evidence<'_>) -> Result<Vec<Finding>, Error> {
    let Some(applied) = evidence.applied(PROFILE) else { return Ok(Vec::new()) };
    for started in
        evidence.closure.processes.iter().filter(|started| started.required && started.process.inherited == 0)
    {
        let is_glibc = started.process.constants.as_ref().is_some_and(|constants| constants.family == Family::Glibc);
        if is_glibc && open(evidence.objects, &started.process, 0, LIBRARY, &started.conditions)?.is_none() {
            let says = format!("{}, which needs libgcc_s.so.1, but the image does not have it", applied.because);
            let help = evidence.install("libgcc_s.so.1")?;
            let help = help.unwrap_or_else(|| "install the package of libgcc_s.so.1 in the builder stage".to_owned());
            return Ok(vec![Finding::new(CHECK.code, Level::Warning, "libgcc_s.so.1", says).help(help)]);
        }
    }
    Ok(Vec::new())
}
