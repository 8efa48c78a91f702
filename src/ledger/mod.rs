//! The ledger of an image: its files with their reasons, packages and sizes. A [`Ledger`] combines the plan, the
//! closure and the package database; a plan file is written from it, and read back as a [`Snapshot`].

mod diff;
mod left_out;
mod lock;
mod names;
mod outdated;
mod rows;
mod snapshot;
mod source;
mod walk;
mod write;

pub use diff::{Both, Change, Diff, Group, Growth, One, Side};
pub use left_out::{Absent, Gone, LeftOut, left_out};
pub use lock::{LOCK_SCHEMA, LockRules, refuse_difference, write_lock};
pub use names::unshown;
pub use outdated::{OtherVersion, Outdated};
pub use rows::{Kind, Package, ProcessRow, Record, Run};
pub use snapshot::{Noted, Snapshot};
pub(crate) use source::origin;
pub use source::{Ledger, digest_of, group_sums};
pub(crate) use walk::entries_of;
pub(crate) use write::Document;
pub use write::{PLAN_SCHEMA, PlanOptions, write_lines, write_plan};
