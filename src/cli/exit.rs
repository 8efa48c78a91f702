//! Exit codes. They are part of the interface: scripts rely on them.

use crate::error::Kind;
use crate::proof::{self, Proof, Verdict};

/// Success.
pub(super) const DONE: u8 = 0;
/// Success, but there are findings at error level, or the path given to `why` is not in the image.
pub(super) const FINDINGS: u8 = 1;
/// The command line, a profile or slimroot.toml is wrong.
pub(super) const USAGE: u8 = 2;
/// The run failed.
pub(super) const UNFINISHED: u8 = 3;
/// A limit that the user set is exceeded: a budget, a lock or a list of permitted contents. Nothing was written.
pub(super) const POLICY: u8 = 5;
/// The program that `verify` or `build --verify` runs fails in the builder root too.
pub(super) const FAILS_IN_BOTH: u8 = 4;
/// A bug in slimroot; the same code that Rust uses after a panic.
pub(super) const BUG: u8 = 101;
/// Ended by a signal: 128 + SIGINT, as shells report it.
pub(super) const INTERRUPTED: u8 = 130;

/// The exit code for an error of a kind.
pub(super) fn code(kind: Kind) -> u8 {
    match kind {
        Kind::BadArgument | Kind::BadProfile => USAGE,
        Kind::CannotRead | Kind::Malformed | Kind::Changed | Kind::CannotWrite => UNFINISHED,
        Kind::Policy => POLICY,
        Kind::Interrupted => INTERRUPTED,
        Kind::Bug => BUG,
    }
}

/// The exit code for proofs: that of the worst.
pub(super) fn proofs(proofs: &[Proof], is_strict: bool) -> u8 {
    let misses = |proof: &Proof| {
        let is_missed = proof.missed.iter().any(|missed| missed.asked && missed.kind != proof::Kind::Cache);
        proof.verdict == Verdict::Missed || (is_strict && (is_missed || !proof.noticed.is_empty()))
    };
    match () {
        () if proofs.iter().any(misses) => FINDINGS,
        () if proofs.iter().any(|proof| proof.verdict == Verdict::FailsInBoth) => FAILS_IN_BOTH,
        () => DONE,
    }
}
