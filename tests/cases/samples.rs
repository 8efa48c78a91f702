//! Small applications in many languages, built into roots according to their Dockerfiles and packed without options.
//! `tests/samples/judge.py` sends the same requests to the image and to the builder root. The samples are next to the
//! checkout, or in `SLIMROOT_SAMPLES`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::{Map, Value};

use crate::support::{need, samples};
use crate::{Group, Needs, plain};

static NEEDS: Needs = Needs::new(&["python3", "runc", "mmdebstrap", "openssl", "unshare", "npm", "rustc"]);

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(text) = fs::read_to_string(folder.join("checks.json")) else { return BTreeSet::new() };
    serde_json::from_str::<Map<String, Value>>(&text).expect("JSON").into_iter().map(|(name, _)| name).collect()
}

pub(crate) fn trials() -> Vec<Trial> {
    let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var("SLIMROOT_SAMPLES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|_| checkout.join("../shared/samples"));
    let beside = names(&folder);
    if beside.is_empty() {
        return vec![plain("samples::are_there", || {
            need::skip("the samples");
        })];
    }
    let all: BTreeSet<String> = beside.into_iter().chain(names(&checkout.join("tests/samples"))).collect();
    // `proven.py` lets `build --verify` judge, with the same checks.
    let scripts = [("samples", "judge.py"), ("proven", "proven.py")];
    let trial = |(group, script): (&str, &'static str), name: String| {
        let folder = folder.clone();
        plain(&format!("{group}::{name}"), move || {
            if NEEDS.are_met() {
                let _turn = crate::turn(Group::Samples);
                samples::judged_by(script, &name, &[("SLIMROOT_SAMPLES", folder.as_os_str())]);
            }
        })
    };
    all.into_iter().flat_map(|name| scripts.map(|script| trial(script, name.clone()))).collect()
}
