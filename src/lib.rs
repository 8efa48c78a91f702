//! slimroot.

pub mod digest;
pub mod elf;
pub mod error;
pub mod loader;
pub mod path;
pub mod plan;
pub mod profile;
pub mod root;
