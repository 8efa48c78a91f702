//! slimroot packs a program with only its runtime dependencies into a container image without a base image.
//! Data flow in one direction. A [`root`] is read, and its [`elf`] objects are resolved as a [`loader`] would resolve
//! them. A [`closure`] collects all files with the reasons for them, a [`plan`] fixes the contents of the image, and
//! the [`check`]s look for problems. The plan is written with [`layer`], [`image`] and [`output`]. Each module uses
//! only modules of lower layers. The command line uses only this public interface, as in this example:
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
//! let closure = Closure::build(&objects, &request)?;
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
//! slimroot never reads files outside the root, and never runs anything from it, except with a [`guest`] that the
//! caller creates.

pub mod check;
pub mod cleanup;
#[cfg(feature = "cli")]
pub mod cli;
pub mod closure;
#[cfg(feature = "cli")]
mod commands;
pub mod config;
pub mod error;
pub mod finding;
pub mod guest;
pub mod image;
pub mod language;
pub mod layer;
pub mod output;
pub mod package;
pub mod plan;
pub mod profile;
pub mod text;
pub mod trust;
pub mod verify;
mod world;

pub use slimroot_ldso::{elf, loader};
pub use slimroot_rootfs::{digest, path, root};
