//! Real programs in real builder roots: a part of the acceptance corpus, whose own checks are the judge. The corpus lies
//! beside the checkout, or where `SLIMROOT_CORPUS` says.
#![allow(unreachable_pub, reason = "support modules are compiled into each test on their own")]

#[path = "support/corpus.rs"]
mod cases;
#[path = "support/need.rs"]
mod need;

use cases::{AS_DIRECTORY, corpus, is_there};

/// Packed to an archive, and the image is run by its own configuration.
const AS_IMAGE: &[&str] = &["curl", "gawk-tz", "jq", "ld-library-path", "nginx", "postgres", "redis", "runpath-origin"];

#[test]
fn programs_of_the_corpus_work_without_any_option() {
    if !is_there() {
        return;
    }
    for (tool, cases) in [("slimroot", AS_DIRECTORY), ("slimroot-oci", AS_IMAGE)] {
        let (is_ready, said) = corpus(&[&["prepare"], cases].concat());
        assert!(is_ready, "{said}");
        let (all_pass, said) = corpus(&[&["run", "--tool", tool], cases].concat());
        println!("{said}");
        assert!(all_pass && said.contains(&format!("{0}/{0}", cases.len())), "{said}");
    }
}
