#![doc = include_str!("../README.md")]

pub mod digest;
pub mod error;
pub mod path;
pub mod root;
