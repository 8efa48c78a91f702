//! slimroot packs what a program needs at run time, and nothing else, into a container image with no base.
//!
//! Data go one way: a [`root`] is read, its [`elf`] objects resolved as a [`loader`] would, everything gathered with its
//! reasons in a [`closure`], looked over by the [`check`]s, settled in a [`plan`], and written as [`layer`], [`image`] and
//! [`output`]. Each room knows only what lies under it. The command line has no private door: this is what it does.
//!
//! ```
//! use slimroot::check::{Evidence, find};
//! use slimroot::closure::{Closure, Request};
//! use slimroot::finding::Level;
//! use slimroot::layer::PassOptions;
//! use slimroot::loader::Objects;
//! use slimroot::output::{Destination, WriteOptions, write};
//! use slimroot::plan::{Plan, PlannedTree, Settings};
//! use slimroot::profile::Profile;
//! use slimroot::root::Root;
//!
//! # fn main() -> Result<(), slimroot::error::Error> {
//! # let out = tempfile::tempdir().expect("a directory");
//! # let archive = out.path().join("true.tar");
//! let root = Root::open("/")?;
//! let request =
//!     Request { entry: "true".to_owned(), profiles: vec![Profile::builtin("base")?], ..Request::default() };
//! let objects = Objects::new(&root);
//! let closure = Closure::build(&root, &objects, &request)?;
//! let plan = Plan::build(&objects, &request, &closure, &Settings::default())?;
//! let planned = Root::new(std::sync::Arc::new(PlannedTree::new(&plan, root.tree())));
//! let findings = find(&Evidence::new(&objects, &closure, &planned, &plan.run, false))?;
//! assert!(findings.iter().all(|finding| finding.level < Level::Error));
//! let destination = Destination::parse(&format!("oci-archive:{}:v1", archive.display()))?;
//! let pass = PassOptions { threads: 2, progress: &|_, _| (), stop: &|| false };
//! let options = WriteOptions { codec: None, force: false, pass };
//! let written = write(&**root.tree(), &plan, &[destination], &options)?;
//! println!("{} bytes, manifest {:?}", written[0].bytes, written[0].manifest);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing outside of the root is ever read, and nothing of it is ever run but by a [`guest`], which callers make for what
//! they ask for.

pub mod check;
pub mod cleanup;
#[cfg(feature = "cli")]
pub mod cli;
pub mod closure;
#[cfg(feature = "cli")]
mod commands;
pub mod config;
pub mod digest;
pub mod elf;
pub mod error;
pub mod finding;
pub mod guest;
pub mod image;
pub mod language;
pub mod layer;
pub mod loader;
pub mod output;
pub mod package;
pub mod path;
pub mod plan;
pub mod profile;
pub mod root;
pub mod text;
pub mod trust;
pub mod verify;
