//! Laws of loaders: small worlds (`fixtures/laws` of the repository), in which the real loaders of glibc and musl are the
//! judges of what this crate says.

#![allow(unreachable_pub, dead_code, reason = "support modules are compiled into each test on their own")]
#[path = "support/judge.rs"]
mod judge;
#[path = "support/laws.rs"]
mod laws;
#[path = "support/library.rs"]
mod library;
#[path = "../../../tests/support/mmdebstrap.rs"]
mod mmdebstrap;
#[path = "../../../tests/support/need.rs"]
mod need;

use judge::judge_all;
use laws::{glibc, glibc_from, musl};
use library::ask;

#[test]
fn the_laws_of_glibc_hold() {
    if need::all(&["gcc", "unshare", "python3"]) {
        judge_all(&glibc(), 70, |_| true, ask);
    }
}

#[test]
fn the_laws_of_musl_hold() {
    if need::all(&["musl-gcc", "unshare", "python3"]) {
        judge_all(&musl(), 20, |_| true, ask);
    }
}

/// glibc 2.41: no legacy subdirectories any more, other messages.
#[test]
fn the_laws_of_a_newer_glibc_hold() {
    if need::all(&["gcc", "unshare", "python3", "mmdebstrap"]) {
        judge_all(&glibc_from(&mmdebstrap::glibc_of("trixie"), false), 70, |_| true, ask);
    }
}

/// glibc 2.31: no glibc-hwcaps yet, and the loader does not say its release.
#[test]
fn the_laws_of_an_older_glibc_hold() {
    if need::all(&["gcc", "unshare", "python3", "mmdebstrap"]) {
        judge_all(&glibc_from(&mmdebstrap::glibc_of("bullseye"), true), 60, |_| true, ask);
    }
}
