//! Exit codes, in one place. They are part of the interface: scripts rely on them.

use crate::error::Kind;

/// The work is done, and nothing is wrong.
pub(super) const DONE: u8 = 0;
/// The work is done, and there are findings at error level, or what was asked about is not there.
pub(super) const FINDINGS: u8 = 1;
/// The command line, a profile or slimroot.toml is wrong.
pub(super) const USAGE: u8 = 2;
/// The work could not be completed.
pub(super) const UNFINISHED: u8 = 3;
/// A fault of slimroot; what Rust exits with after a panic too.
pub(super) const BUG: u8 = 101;
/// Ended by a signal: 128 + SIGINT, as shells report it.
pub(super) const INTERRUPTED: u8 = 130;

/// The exit code for an error of a kind.
pub(super) fn code(kind: Kind) -> u8 {
    match kind {
        Kind::BadArgument | Kind::BadProfile => USAGE,
        Kind::CannotRead | Kind::Malformed | Kind::Changed | Kind::CannotWrite => UNFINISHED,
        Kind::Interrupted => INTERRUPTED,
        Kind::Bug => BUG,
    }
}
