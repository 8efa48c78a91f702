//! Code that several tests share.

pub mod corpus;
pub mod elf;
pub mod engines;
pub mod files;
pub mod hostile;
#[path = "../../crates/ldso/tests/support/judge.rs"]
pub mod judge;
pub mod launches;
#[path = "../../crates/ldso/tests/support/laws.rs"]
pub mod laws;
pub mod mmdebstrap;
pub mod need;
pub mod registry;
pub mod roots;
pub mod runs;
pub mod samples;
pub mod trees;
