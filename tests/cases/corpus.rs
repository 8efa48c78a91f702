//! Real programs in real builder roots: cases of the acceptance corpus that `behind_a_script` does not pack, or packs to
//! directories only. Their own checks are the judge. The corpus lies beside the checkout, or where `SLIMROOT_CORPUS` says.

use libtest_mimic::Trial;

use crate::behind_a_script::FOREIGN;
use crate::support::corpus::{corpus, is_there};
use crate::{Group, plain, turn};

/// Packed to an archive, and the image is run by its own configuration.
const AS_IMAGE: &[&str] = &["curl", "gawk-tz", "jq", "ld-library-path", "nginx", "postgres", "redis", "runpath-origin"];

pub(crate) fn trials() -> Vec<Trial> {
    let tables = [("directory", "slimroot", &[FOREIGN][..]), ("image", "slimroot-oci", AS_IMAGE)];
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
