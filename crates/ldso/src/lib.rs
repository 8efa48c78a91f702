#![doc = include_str!("../README.md")]

pub mod elf;
pub mod error;
pub mod loader;

pub use slimroot_rootfs as rootfs;
