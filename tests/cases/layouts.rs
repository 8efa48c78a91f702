//! One application in the layouts of all Node package managers, and a .NET application started in several ways. Packed,
//! they must answer like in their builder roots: `tests/samples/layouts.py` and `tests/samples/dotnet.py`. Dockerfiles in
//! the usual shapes: what `slimroot dockerfile` makes of them must answer like the original
//! (`tests/samples/dockerfiles.py`, of which two shapes run here).

use libtest_mimic::Trial;

use crate::support::{need, samples};
use crate::{Group, Needs, plain};

static NODE: Needs = Needs::new(&["python3", "runc", "mmdebstrap", "openssl", "unshare", "npm"]);
static DOCKERFILES: Needs = Needs::new(&[
    "python3",
    "buildah",
    "podman",
    "runc",
    "mmdebstrap",
    "openssl",
    "unshare",
    "nsenter",
    "npm",
    "rustc",
    "curl",
]);
static DOTNET: Needs =
    Needs::new(&["python3", "runc", "mmdebstrap", "openssl", "unshare", "npm", "pip", "mcs", "al", "resgen"]);

fn table(title: &str, script: &'static str, needs: &'static Needs) -> Vec<Trial> {
    let names = samples::cases(script);
    if names.is_empty() {
        return vec![plain(&format!("{title}::are_there"), || {
            need::skip("python3");
        })];
    }
    let trial = |name: String| {
        plain(&format!("{title}::{name}"), move || {
            if needs.are_met() {
                let _turn = crate::turn(Group::Samples);
                samples::judged_by(script, &name, &[]);
            }
        })
    };
    names.into_iter().map(trial).collect()
}

pub(crate) fn trials() -> Vec<Trial> {
    let node = table("layouts", "layouts.py", &NODE);
    let dockerfiles = table("dockerfiles", "dockerfiles.py", &DOCKERFILES);
    node.into_iter().chain(table("dotnet", "dotnet.py", &DOTNET)).chain(dockerfiles).collect()
}
