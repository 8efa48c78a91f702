//! The ledger of an image: what is in it, why, from which package, and what it costs. A [`Ledger`] joins the plan, the
//! closure and the package database; a plan file is written from it, and read back as a [`Snapshot`].

mod left_out;
mod names;
mod rows;
mod source;
mod write;

pub use left_out::{Absent, Gone, LeftOut, left_out};
pub use names::unshown;
pub use rows::{Kind, Package, ProcessRow, Record, Run};
pub use source::{Ledger, digest_of, group_sums};
pub use write::{PLAN_SCHEMA, PlanOptions, write_lines, write_plan};
