//! slimroot.

pub mod digest;
pub mod error;
pub mod path;
pub mod plan;
pub mod root;
