//! Real programs in real builder roots: a part of the acceptance corpus, whose own checks are the judge. The corpus lies
//! beside the checkout, or where `SLIMROOT_CORPUS` says.

use libtest_mimic::Trial;

use crate::support::corpus::{AS_DIRECTORY, corpus, is_there};
use crate::{Group, plain, turn};

/// Packed to an archive, and the image is run by its own configuration.
const AS_IMAGE: &[&str] = &["curl", "gawk-tz", "jq", "ld-library-path", "nginx", "postgres", "redis", "runpath-origin"];

pub(crate) fn trials() -> Vec<Trial> {
    let tables = [("directory", "slimroot", AS_DIRECTORY), ("image", "slimroot-oci", AS_IMAGE)];
    let all = tables.into_iter().flat_map(|(form, tool, names)| names.iter().map(move |name| (form, tool, *name)));
    let trial = |(form, tool, name): (&str, &'static str, &'static str)| {
        plain(&format!("corpus::{form}::{name}"), move || works_without_any_option(tool, name))
    };
    all.map(trial).collect()
}

fn works_without_any_option(tool: &str, name: &str) {
    if !is_there() {
        return;
    }
    let _turn = turn(Group::Corpus);
    let (is_ready, said) = corpus(&["prepare", name]);
    assert!(is_ready, "{said}");
    let (passes, said) = corpus(&["run", "--tool", tool, name]);
    assert!(passes && said.contains("1/1"), "{said}");
}
