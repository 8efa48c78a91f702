//! slimroot.

pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod closure;
#[cfg(feature = "cli")]
mod commands;
pub mod digest;
pub mod elf;
pub mod error;
pub mod finding;
pub mod image;
pub mod layer;
pub mod loader;
pub mod output;
pub mod path;
pub mod plan;
pub mod profile;
pub mod root;
