//! Helpers that several languages share: the application's directory, arguments, literals of source text, missing
//! applications, programs that start others. They know no language.

pub(crate) mod alike;
pub(crate) mod application;
pub(crate) mod arguments;
mod beside;
mod flow;
mod helpers;
pub(crate) mod interpreters;
pub(crate) mod json;
pub(crate) mod literals;
pub(crate) mod lookup;
pub(crate) mod missing;
pub(crate) mod names;
pub(crate) mod parts;
pub(crate) mod platform;
pub(crate) mod reach;
pub(crate) mod started;
pub(crate) mod statements;
pub(crate) mod wrapped;
